-- What a record said last: as the cover was from the event `stands` on, but for the columns in `kept` (JSON), where the
-- registry stayed as it had been corrected. NULL where nothing is known of it.
ALTER TABLE cover_source ADD COLUMN stands BIGINT;
ALTER TABLE cover_source ADD COLUMN kept TEXT COLLATE "C";
UPDATE cover_source SET stands = COALESCE(
    (SELECT cover.seq_from FROM cover JOIN event ON event.district = cover.district AND event.seq = cover.seq_from
     WHERE cover.district = cover_source.district AND cover.id = cover_source.cover AND event.kind = 'import.applied'
     AND event.subject = encode(cover_source.import, 'hex')::uuid::text),
    (SELECT max(past.seq_from) FROM cover_version AS past
     JOIN event ON event.district = past.district AND event.seq = past.seq_from
     WHERE past.district = cover_source.district AND past.id = cover_source.cover AND event.kind = 'import.applied'
     AND event.subject = encode(cover_source.import, 'hex')::uuid::text))
WHERE digest <> '\x00000000000000000000000000000000';

-- `seen` is the version that a staged row was compared with; `stands` is said where the cover stays as it is.
ALTER TABLE cover_stage ADD COLUMN seen BIGINT;
ALTER TABLE cover_stage ADD COLUMN stands BIGINT;
ALTER TABLE cover_stage ADD COLUMN kept TEXT COLLATE "C";

-- The same of areas, organizations and people. Of people, whose names have no past, `kept` has all that was said, names
-- and phones as keyed digests.
CREATE TABLE delivered (
    district BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    record TEXT COLLATE "C" NOT NULL,
    stands BIGINT,
    kept TEXT COLLATE "C",
    PRIMARY KEY (district, kind, record)
);
INSERT INTO delivered (district, kind, record, stands)
SELECT district, 'area', CAST(code AS TEXT), max(seq_from) FROM
    (SELECT district, code, seq_from FROM area UNION ALL SELECT district, code, seq_from FROM area_version) AS state
WHERE EXISTS (SELECT 1 FROM event WHERE event.district = state.district AND event.seq = state.seq_from
    AND event.kind = 'import.applied') GROUP BY district, code;
INSERT INTO delivered (district, kind, record, stands)
SELECT district, 'organization', code, max(seq_from) FROM
    (SELECT CAST(substr(code, 1, 6) AS BIGINT) AS district, code, seq_from FROM organization UNION ALL
     SELECT CAST(substr(code, 1, 6) AS BIGINT) AS district, code, seq_from FROM organization_version) AS state
WHERE EXISTS (SELECT 1 FROM event WHERE event.district = state.district AND event.seq = state.seq_from
    AND event.kind = 'import.applied') GROUP BY district, code;

-- What the list of imports tells; of what stored nothing too. An import's id says when it began.
ALTER TABLE import ADD COLUMN kind TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE import ADD COLUMN actor TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE import ADD COLUMN ended_at BIGINT;
UPDATE import SET
    kind = COALESCE((SELECT event.data::json ->> 'kind' FROM event WHERE event.district = import.district
        AND event.subject = encode(import.id, 'hex')::uuid::text AND event.kind = 'import.applied' ORDER BY event.seq LIMIT 1), 'covers'),
    actor = COALESCE((SELECT event.actor FROM event WHERE event.district = import.district
        AND event.subject = encode(import.id, 'hex')::uuid::text AND event.kind = 'import.applied' ORDER BY event.seq LIMIT 1), ''),
    ended_at = (SELECT max(event.at) FROM event WHERE event.district = import.district
        AND event.subject = encode(import.id, 'hex')::uuid::text AND event.kind = 'import.applied');
INSERT INTO import (district, id, profile, file, state, started_at, counts, kind, actor)
SELECT district, id, report::json ->> 'profile', report::json ->> 'file',
    CASE WHEN (report::json ->> 'rejected')::boolean THEN 'rejected' ELSE 'applied' END, 0, (report::json -> 'counts')::text, report::json ->> 'kind', actor
FROM import_report WHERE true ON CONFLICT DO NOTHING;

-- What became of each row, in pieces: lines of JSON, compressed; nothing that a file says of people.
CREATE TABLE import_rows (
    district BIGINT NOT NULL,
    id BYTEA NOT NULL,
    piece BIGINT NOT NULL,
    retain_until BIGINT NOT NULL,
    rows BYTEA NOT NULL,
    PRIMARY KEY (district, id, piece)
);
CREATE INDEX import_rows_end ON import_rows (district, retain_until);
