-- Findings of the quality check that are known: when they were found, and what mended those that are no more.
CREATE TABLE finding (
    district BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    rule TEXT COLLATE "C" NOT NULL,
    -- kind:code, separated by commas
    subjects TEXT COLLATE "C" NOT NULL,
    lon DOUBLE PRECISION,
    lat DOUBLE PRECISION,
    outline BYTEA,
    english TEXT COLLATE "C" NOT NULL,
    chinese TEXT COLLATE "C" NOT NULL,
    found_seq BIGINT NOT NULL,
    mended_at BIGINT,
    mended_seq BIGINT,
    PRIMARY KEY (district, id)
);
