-- What became of each file, as whoever sent it was told; `report` is JSON, with the first 1,000 findings.
CREATE TABLE import_report (
    district BIGINT NOT NULL,
    id BLOB NOT NULL,
    actor TEXT NOT NULL,
    report TEXT NOT NULL,
    PRIMARY KEY (district, id)
);
