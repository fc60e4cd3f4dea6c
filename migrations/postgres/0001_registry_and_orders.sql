-- Instants are microseconds since 1970 UTC; area codes and cover codes are numbers, so that their order is the codes' order.
-- `district` leads every key but those of the tables marked global.

-- global
CREATE TABLE district (
    district BIGINT NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    outline BYTEA NOT NULL,
    version BIGINT NOT NULL
);

CREATE TABLE district_head (
    district BIGINT NOT NULL PRIMARY KEY REFERENCES district (district),
    seq BIGINT NOT NULL,
    registry_seq BIGINT NOT NULL,
    day BIGINT NOT NULL,
    day_counter BIGINT NOT NULL,
    last_time BIGINT NOT NULL
);

CREATE TABLE category (
    district BIGINT NOT NULL,
    code BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    name_en TEXT COLLATE "C" NOT NULL,
    enabled BIGINT NOT NULL,
    PRIMARY KEY (district, code)
);

CREATE TABLE damage (
    district BIGINT NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    place BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    urgency BIGINT NOT NULL,
    secure_limit TEXT COLLATE "C",
    target TEXT COLLATE "C" NOT NULL,
    repair_limit TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (district, code)
);

CREATE TABLE event (
    district BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    data TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C",
    PRIMARY KEY (district, seq)
);
CREATE INDEX event_subject ON event (district, subject, seq);

-- global
CREATE TABLE organization (
    code TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    credit_code TEXT COLLATE "C",
    version BIGINT NOT NULL
);

-- Sub-districts (9 digits), communities (12) and grids (15): the code's length says which.
CREATE TABLE area (
    district BIGINT NOT NULL,
    code BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    supervising_department TEXT COLLATE "C",
    outline BYTEA NOT NULL,
    version BIGINT NOT NULL,
    seq_from BIGINT NOT NULL,
    PRIMARY KEY (district, code)
);

CREATE TABLE area_version (
    district BIGINT NOT NULL,
    code BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    supervising_department TEXT COLLATE "C",
    outline BYTEA NOT NULL,
    version BIGINT NOT NULL,
    seq_from BIGINT NOT NULL,
    seq_to BIGINT NOT NULL,
    PRIMARY KEY (district, code, version)
);

-- global; names and phones are in personal_data
CREATE TABLE person (
    id BYTEA NOT NULL PRIMARY KEY,
    source TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C" NOT NULL,
    organization TEXT COLLATE "C",
    version BIGINT NOT NULL,
    UNIQUE (source, external_id)
);

CREATE TABLE duty (
    district BIGINT NOT NULL,
    area BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    person BYTEA NOT NULL,
    PRIMARY KEY (district, area, kind, person)
);

CREATE TABLE cover (
    district BIGINT NOT NULL,
    code BIGINT NOT NULL,
    id BYTEA NOT NULL,
    owner TEXT COLLATE "C",
    responsible_unit TEXT COLLATE "C",
    lon DOUBLE PRECISION NOT NULL,
    lat DOUBLE PRECISION NOT NULL,
    accuracy TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    shape TEXT COLLATE "C",
    opening_mm BIGINT,
    opening_width_mm BIGINT,
    depth_mm BIGINT,
    material TEXT COLLATE "C",
    load_class TEXT COLLATE "C",
    place TEXT COLLATE "C",
    installed BIGINT,
    grid BIGINT,
    version BIGINT NOT NULL,
    seq_from BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (district, id),
    UNIQUE (district, code)
);

CREATE TABLE cover_version (
    district BIGINT NOT NULL,
    code BIGINT NOT NULL,
    id BYTEA NOT NULL,
    owner TEXT COLLATE "C",
    responsible_unit TEXT COLLATE "C",
    lon DOUBLE PRECISION NOT NULL,
    lat DOUBLE PRECISION NOT NULL,
    accuracy TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    shape TEXT COLLATE "C",
    opening_mm BIGINT,
    opening_width_mm BIGINT,
    depth_mm BIGINT,
    material TEXT COLLATE "C",
    load_class TEXT COLLATE "C",
    place TEXT COLLATE "C",
    installed BIGINT,
    grid BIGINT,
    version BIGINT NOT NULL,
    seq_from BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    seq_to BIGINT NOT NULL,
    PRIMARY KEY (district, id, version)
);

-- Where each record came from, and what it said: importing the same again changes nothing.
CREATE TABLE cover_source (
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
    PRIMARY KEY (district, source, external_id)
);

CREATE TABLE import (
    district BIGINT NOT NULL,
    id BYTEA NOT NULL,
    profile TEXT COLLATE "C" NOT NULL,
    file TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    counts TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (district, id)
);

-- Rows of an import that nobody sees until it is applied.
CREATE TABLE cover_stage (
    district BIGINT NOT NULL,
    import BYTEA NOT NULL,
    row_number BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL,
    original_x DOUBLE PRECISION NOT NULL,
    original_y DOUBLE PRECISION NOT NULL,
    original_crs TEXT COLLATE "C" NOT NULL,
    code BIGINT NOT NULL,
    id BYTEA NOT NULL,
    owner TEXT COLLATE "C",
    responsible_unit TEXT COLLATE "C",
    lon DOUBLE PRECISION NOT NULL,
    lat DOUBLE PRECISION NOT NULL,
    accuracy TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    shape TEXT COLLATE "C",
    opening_mm BIGINT,
    opening_width_mm BIGINT,
    depth_mm BIGINT,
    material TEXT COLLATE "C",
    load_class TEXT COLLATE "C",
    place TEXT COLLATE "C",
    installed BIGINT,
    grid BIGINT,
    PRIMARY KEY (district, import, row_number)
);

CREATE TABLE work_order (
    district BIGINT NOT NULL,
    number BIGINT NOT NULL,
    version BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    grid BIGINT NOT NULL,
    cover BYTEA,
    lon DOUBLE PRECISION NOT NULL,
    lat DOUBLE PRECISION NOT NULL,
    damage TEXT COLLATE "C" NOT NULL,
    assignee TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    promise_at BIGINT NOT NULL,
    secure_by BIGINT,
    repair_by BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    secured_at BIGINT,
    repaired_at BIGINT,
    closed_at BIGINT,
    disputed BIGINT NOT NULL,
    level BIGINT NOT NULL,
    rework BIGINT NOT NULL,
    report_count BIGINT NOT NULL,
    registry_seq BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (district, number)
);
CREATE INDEX work_order_open ON work_order (district, cover) WHERE status NOT IN ('closed', 'cancelled');

CREATE TABLE task (
    district BIGINT NOT NULL,
    work_order BIGINT NOT NULL,
    id BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    assignee TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    due_at BIGINT NOT NULL,
    PRIMARY KEY (district, work_order, id)
);

CREATE TABLE report (
    district BIGINT NOT NULL,
    number BIGINT NOT NULL,
    token_hash BYTEA NOT NULL,
    work_order BIGINT NOT NULL,
    lon DOUBLE PRECISION NOT NULL,
    lat DOUBLE PRECISION NOT NULL,
    accuracy_m DOUBLE PRECISION,
    cover BYTEA,
    category BIGINT,
    damage TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    channel TEXT COLLATE "C" NOT NULL,
    reported_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (district, number)
);
CREATE UNIQUE INDEX report_token ON report (district, token_hash);
CREATE INDEX report_order ON report (district, work_order);

-- Names and phones, sealed with the key file; nowhere else.
CREATE TABLE personal_data (
    district BIGINT NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    purpose TEXT COLLATE "C" NOT NULL,
    retain_until BIGINT,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (district, subject, purpose)
);

CREATE TABLE idempotency (
    district BIGINT NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    route TEXT COLLATE "C" NOT NULL,
    key_hash BYTEA NOT NULL,
    body_hash BYTEA NOT NULL,
    sealed_reply BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (district, client, route, key_hash)
);
CREATE INDEX idempotency_expires ON idempotency (district, expires);

-- global
CREATE TABLE api_key (
    id BYTEA NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    role TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    scopes TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
