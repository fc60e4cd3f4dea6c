-- What somebody said of a finding of the quality check; findings themselves are found anew each time.
CREATE TABLE quality_state (
    district BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C",
    actor TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (district, id)
);
