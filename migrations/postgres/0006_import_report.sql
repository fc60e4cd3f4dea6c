-- What became of each file, as whoever sent it was told; `report` is JSON, with the first 1,000 findings.
CREATE TABLE import_report (
    district BIGINT NOT NULL,
    id BYTEA NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    report TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (district, id)
);
