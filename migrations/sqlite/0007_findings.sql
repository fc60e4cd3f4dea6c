-- Findings of the quality check that are known: when they were found, and what mended those that are no more.
CREATE TABLE finding (
    district BIGINT NOT NULL,
    id TEXT NOT NULL,
    rule TEXT NOT NULL,
    -- kind:code, separated by commas
    subjects TEXT NOT NULL,
    lon REAL,
    lat REAL,
    outline BLOB,
    english TEXT NOT NULL,
    chinese TEXT NOT NULL,
    found_seq BIGINT NOT NULL,
    mended_at BIGINT,
    mended_seq BIGINT,
    PRIMARY KEY (district, id)
) WITHOUT ROWID;
