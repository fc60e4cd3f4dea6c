-- What GIS programs open: positions and outlines as geometries with an index, and views that only read.
-- Run again after each migration; plain columns stay the truth.
ALTER TABLE cover ADD COLUMN IF NOT EXISTS geom geometry(Point, 4326)
    GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(lon, lat), 4326)) STORED;
ALTER TABLE work_order ADD COLUMN IF NOT EXISTS geom geometry(Point, 4326)
    GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(lon, lat), 4326)) STORED;
ALTER TABLE area ADD COLUMN IF NOT EXISTS geom geometry(MultiPolygon, 4326)
    GENERATED ALWAYS AS (ST_Multi(ST_GeomFromWKB(outline, 4326))) STORED;
CREATE INDEX IF NOT EXISTS cover_geom ON cover USING gist (geom);
CREATE INDEX IF NOT EXISTS work_order_geom ON work_order USING gist (geom);
CREATE INDEX IF NOT EXISTS area_geom ON area USING gist (geom);

CREATE SCHEMA IF NOT EXISTS gis;

-- Check digit of ISO 7064 MOD 11,10, as work orders' codes end with it.
CREATE OR REPLACE FUNCTION gis.mod_11_10(digits text) RETURNS integer LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    product integer := 10;
    total integer;
    digit text;
BEGIN
    FOREACH digit IN ARRAY string_to_array(digits, NULL) LOOP
        total := (product + digit::integer) % 10;
        product := (CASE WHEN total = 0 THEN 10 ELSE total END) * 2 % 11;
    END LOOP;
    RETURN (11 - product) % 10;
END
$$;

CREATE OR REPLACE VIEW gis.covers AS
SELECT cover.code AS fid, lpad(cover.code::text, 16, '0') AS code, cover.district::text AS district,
    lpad((cover.code / 1000000 % 10000)::text, 4, '0') AS category, category.name AS category_name,
    cover.owner, owner.name AS owner_name, cover.responsible_unit, unit.name AS responsible_unit_name,
    cover.status, cover.accuracy, cover.shape, cover.opening_mm, cover.opening_width_mm, cover.depth_mm, cover.material,
    cover.load_class, cover.place, cover.installed, cover.grid::text AS grid, cover.version, cover.geom
FROM cover
LEFT JOIN category ON category.district = cover.district AND category.code = cover.code / 1000000 % 10000
LEFT JOIN organization AS owner ON owner.code = cover.owner
LEFT JOIN organization AS unit ON unit.code = cover.responsible_unit
WHERE cover.status <> 'removed';

CREATE OR REPLACE VIEW gis.grids AS
SELECT area.code AS fid, area.code::text AS code, area.district::text AS district, area.name,
    (area.code / 1000000)::text AS subdistrict, (area.code / 1000)::text AS community,
    area.supervising_department, department.name AS supervising_department_name, area.version, area.geom
FROM area LEFT JOIN organization AS department ON department.code = area.supervising_department
WHERE area.code >= 100000000000000;

CREATE OR REPLACE VIEW gis.communities AS
SELECT area.code AS fid, area.code::text AS code, area.district::text AS district, area.name,
    (area.code / 1000)::text AS subdistrict, area.version, area.geom
FROM area LEFT JOIN organization AS department ON department.code = area.supervising_department
WHERE area.code >= 100000000000 AND area.code < 100000000000000;

CREATE OR REPLACE VIEW gis.subdistricts AS
SELECT area.code AS fid, area.code::text AS code, area.district::text AS district, area.name, area.version, area.geom
FROM area LEFT JOIN organization AS department ON department.code = area.supervising_department
WHERE area.code < 100000000000;

-- Open orders and closed ones; nothing of who reported.
CREATE OR REPLACE VIEW gis.work_orders AS
SELECT work_order.district * 10000000000000000 + work_order.number AS fid,
    'WO-' || work_order.district || '-' || lpad((number / 1000000000)::text, 6, '0') || '-' || lpad((number % 1000000000)::text, 5, '0')
        || '-' || gis.mod_11_10(work_order.district || lpad((number / 1000000000)::text, 6, '0') || lpad((number % 1000000000)::text, 5, '0'))
        AS code,
    work_order.district::text AS district, work_order.status, work_order.damage, damage.name AS damage_name,
    lpad(cover.code::text, 16, '0') AS cover, work_order.grid::text AS grid, work_order.assignee,
    to_timestamp(work_order.opened_at / 1e6) AS opened_at, to_timestamp(work_order.due_at / 1e6) AS due_at,
    to_timestamp(work_order.repaired_at / 1e6) AS repaired_at, to_timestamp(work_order.closed_at / 1e6) AS closed_at,
    work_order.report_count, work_order.version, work_order.geom
FROM work_order
LEFT JOIN damage ON damage.district = work_order.district AND damage.code = work_order.damage
LEFT JOIN cover ON cover.district = work_order.district AND cover.id = work_order.cover;
