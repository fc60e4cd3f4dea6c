-- What organisations were, and whom people stood for. Names and phones of people have no past: personal_data
-- holds them as long as they serve their purpose.
ALTER TABLE organization ADD COLUMN seq_from BIGINT NOT NULL DEFAULT 0;

-- global; seq_from and seq_to are of the district in the code
CREATE TABLE organization_version (
    code TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    credit_code TEXT COLLATE "C",
    version BIGINT NOT NULL,
    seq_from BIGINT NOT NULL,
    seq_to BIGINT NOT NULL,
    PRIMARY KEY (code, version)
);

-- The district in whose feed a person's changes are.
ALTER TABLE person ADD COLUMN district BIGINT NOT NULL DEFAULT 0;
ALTER TABLE person ADD COLUMN seq_from BIGINT NOT NULL DEFAULT 0;
UPDATE person SET district = COALESCE((SELECT min(duty.district) FROM duty WHERE duty.person = person.id), 0);

CREATE TABLE person_version (
    district BIGINT NOT NULL,
    id BYTEA NOT NULL,
    organization TEXT COLLATE "C",
    duties TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    seq_from BIGINT NOT NULL,
    seq_to BIGINT NOT NULL,
    PRIMARY KEY (district, id, version)
);
