-- What somebody said of a finding of the quality check; findings themselves are found anew each time.
CREATE TABLE quality_state (
    district BIGINT NOT NULL,
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (district, id)
) WITHOUT ROWID;
