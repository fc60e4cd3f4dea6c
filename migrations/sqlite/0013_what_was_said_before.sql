-- Whether the file names the code of a cover that is new; the registry gives the others, and may give them anew.
ALTER TABLE cover_stage ADD COLUMN names_code BIGINT NOT NULL DEFAULT 1;

-- What a record had said before an import said something else of it: where that is taken back, it is what was said last.
CREATE TABLE cover_source_version (
    district BIGINT NOT NULL,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    cover BLOB NOT NULL,
    digest BLOB NOT NULL,
    original_x REAL NOT NULL,
    original_y REAL NOT NULL,
    original_crs TEXT NOT NULL,
    import BLOB NOT NULL,
    row_number BIGINT NOT NULL,
    stands BIGINT,
    kept TEXT,
    superseded_by BLOB NOT NULL,
    PRIMARY KEY (district, cover, superseded_by, source, external_id)
) WITHOUT ROWID;
CREATE INDEX cover_source_version_import ON cover_source_version (superseded_by, cover);

-- The same of areas, organizations and people, until the event `seq_to`. Of people whose names it changed, who keep them
-- when it is taken back, it says the new ones.
CREATE TABLE delivered_version (
    district BIGINT NOT NULL,
    kind TEXT NOT NULL,
    record TEXT NOT NULL,
    stands BIGINT,
    kept TEXT,
    seq_to BIGINT NOT NULL,
    PRIMARY KEY (district, kind, record, seq_to)
) WITHOUT ROWID;
