-- What a district's name and outline were. Those of before this migration are taken to have been as they are.
ALTER TABLE district ADD COLUMN seq_from BIGINT NOT NULL DEFAULT 0;

-- global; seq_from and seq_to are of the district
CREATE TABLE district_version (
    district BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    outline BYTEA NOT NULL,
    version BIGINT NOT NULL,
    seq_from BIGINT NOT NULL,
    seq_to BIGINT NOT NULL,
    PRIMARY KEY (district, version)
);
