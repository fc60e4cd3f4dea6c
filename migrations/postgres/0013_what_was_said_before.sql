-- Whether the file names the code of a cover that is new; the registry gives the others, and may give them anew.
ALTER TABLE cover_stage ADD COLUMN names_code BIGINT NOT NULL DEFAULT 1;

-- What a record had said before an import said something else of it: where that is taken back, it is what was said last.
CREATE TABLE cover_source_version (
    district BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C" NOT NULL,
    cover BYTEA NOT NULL,
    digest BYTEA NOT NULL,
    original_x DOUBLE PRECISION NOT NULL,
    original_y DOUBLE PRECISION NOT NULL,
    original_crs TEXT COLLATE "C" NOT NULL,
    import BYTEA NOT NULL,
    row_number BIGINT NOT NULL,
    stands BIGINT,
    kept TEXT COLLATE "C",
    superseded_by BYTEA NOT NULL,
    PRIMARY KEY (district, cover, superseded_by, source, external_id)
);
CREATE INDEX cover_source_version_import ON cover_source_version (superseded_by, cover);

-- The same of areas, organizations and people, until the event `seq_to`. Of people whose names it changed, who keep them
-- when it is taken back, it says the new ones.
CREATE TABLE delivered_version (
    district BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    record TEXT COLLATE "C" NOT NULL,
    stands BIGINT,
    kept TEXT COLLATE "C",
    seq_to BIGINT NOT NULL,
    PRIMARY KEY (district, kind, record, seq_to)
);
