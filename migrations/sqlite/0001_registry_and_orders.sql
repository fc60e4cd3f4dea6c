-- Instants are microseconds since 1970 UTC; area codes and cover codes are numbers, so that their order is the codes' order.
-- `district` leads every key but those of the tables marked global.

-- global
CREATE TABLE district (
    district BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    outline BLOB NOT NULL,
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
    name TEXT NOT NULL,
    name_en TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    PRIMARY KEY (district, code)
);

CREATE TABLE damage (
    district BIGINT NOT NULL,
    code TEXT NOT NULL,
    place BIGINT NOT NULL,
    name TEXT NOT NULL,
    urgency BIGINT NOT NULL,
    secure_limit TEXT,
    target TEXT NOT NULL,
    repair_limit TEXT NOT NULL,
    PRIMARY KEY (district, code)
);

CREATE TABLE event (
    district BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    data TEXT NOT NULL,
    reason TEXT,
    PRIMARY KEY (district, seq)
) WITHOUT ROWID;
CREATE INDEX event_subject ON event (district, subject, seq);

-- global
CREATE TABLE organization (
    code TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    credit_code TEXT,
    version BIGINT NOT NULL
);

-- Sub-districts (9 digits), communities (12) and grids (15): the code's length says which.
CREATE TABLE area (
    district BIGINT NOT NULL,
    code BIGINT NOT NULL,
    name TEXT NOT NULL,
    supervising_department TEXT,
    outline BLOB NOT NULL,
    version BIGINT NOT NULL,
    seq_from BIGINT NOT NULL,
    PRIMARY KEY (district, code)
);

CREATE TABLE area_version (
    district BIGINT NOT NULL,
    code BIGINT NOT NULL,
    name TEXT NOT NULL,
    supervising_department TEXT,
    outline BLOB NOT NULL,
    version BIGINT NOT NULL,
    seq_from BIGINT NOT NULL,
    seq_to BIGINT NOT NULL,
    PRIMARY KEY (district, code, version)
);

-- global; names and phones are in personal_data
CREATE TABLE person (
    id BLOB NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    organization TEXT,
    version BIGINT NOT NULL,
    UNIQUE (source, external_id)
);

CREATE TABLE duty (
    district BIGINT NOT NULL,
    area BIGINT NOT NULL,
    kind TEXT NOT NULL,
    person BLOB NOT NULL,
    PRIMARY KEY (district, area, kind, person)
) WITHOUT ROWID;

CREATE TABLE cover (
    district BIGINT NOT NULL,
    code BIGINT NOT NULL,
    id BLOB NOT NULL,
    owner TEXT,
    responsible_unit TEXT,
    lon REAL NOT NULL,
    lat REAL NOT NULL,
    accuracy TEXT NOT NULL,
    status TEXT NOT NULL,
    shape TEXT,
    opening_mm BIGINT,
    opening_width_mm BIGINT,
    depth_mm BIGINT,
    material TEXT,
    load_class TEXT,
    place TEXT,
    installed BIGINT,
    grid BIGINT,
    version BIGINT NOT NULL,
    seq_from BIGINT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (district, id),
    UNIQUE (district, code)
) WITHOUT ROWID;

CREATE TABLE cover_version (
    district BIGINT NOT NULL,
    code BIGINT NOT NULL,
    id BLOB NOT NULL,
    owner TEXT,
    responsible_unit TEXT,
    lon REAL NOT NULL,
    lat REAL NOT NULL,
    accuracy TEXT NOT NULL,
    status TEXT NOT NULL,
    shape TEXT,
    opening_mm BIGINT,
    opening_width_mm BIGINT,
    depth_mm BIGINT,
    material TEXT,
    load_class TEXT,
    place TEXT,
    installed BIGINT,
    grid BIGINT,
    version BIGINT NOT NULL,
    seq_from BIGINT NOT NULL,
    source TEXT NOT NULL,
    seq_to BIGINT NOT NULL,
    PRIMARY KEY (district, id, version)
);

-- Where each record came from, and what it said: importing the same again changes nothing.
CREATE TABLE cover_source (
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
    PRIMARY KEY (district, source, external_id)
) WITHOUT ROWID;

CREATE TABLE import (
    district BIGINT NOT NULL,
    id BLOB NOT NULL,
    profile TEXT NOT NULL,
    file TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    counts TEXT NOT NULL,
    PRIMARY KEY (district, id)
);

-- Rows of an import that nobody sees until it is applied.
CREATE TABLE cover_stage (
    district BIGINT NOT NULL,
    import BLOB NOT NULL,
    row_number BIGINT NOT NULL,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    original_x REAL NOT NULL,
    original_y REAL NOT NULL,
    original_crs TEXT NOT NULL,
    code BIGINT NOT NULL,
    id BLOB NOT NULL,
    owner TEXT,
    responsible_unit TEXT,
    lon REAL NOT NULL,
    lat REAL NOT NULL,
    accuracy TEXT NOT NULL,
    status TEXT NOT NULL,
    shape TEXT,
    opening_mm BIGINT,
    opening_width_mm BIGINT,
    depth_mm BIGINT,
    material TEXT,
    load_class TEXT,
    place TEXT,
    installed BIGINT,
    grid BIGINT,
    PRIMARY KEY (district, import, row_number)
) WITHOUT ROWID;

CREATE TABLE work_order (
    district BIGINT NOT NULL,
    number BIGINT NOT NULL,
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    grid BIGINT NOT NULL,
    cover BLOB,
    lon REAL NOT NULL,
    lat REAL NOT NULL,
    damage TEXT NOT NULL,
    assignee TEXT NOT NULL,
    target TEXT NOT NULL,
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
) WITHOUT ROWID;
CREATE INDEX work_order_open ON work_order (district, cover) WHERE status NOT IN ('closed', 'cancelled');

CREATE TABLE task (
    district BIGINT NOT NULL,
    work_order BIGINT NOT NULL,
    id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    assignee TEXT NOT NULL,
    status TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    PRIMARY KEY (district, work_order, id)
) WITHOUT ROWID;

CREATE TABLE report (
    district BIGINT NOT NULL,
    number BIGINT NOT NULL,
    token_hash BLOB NOT NULL,
    work_order BIGINT NOT NULL,
    lon REAL NOT NULL,
    lat REAL NOT NULL,
    accuracy_m REAL,
    cover BLOB,
    category BIGINT,
    damage TEXT NOT NULL,
    description TEXT,
    channel TEXT NOT NULL,
    reported_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (district, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX report_token ON report (district, token_hash);
CREATE INDEX report_order ON report (district, work_order);

-- Names and phones, sealed with the key file; nowhere else.
CREATE TABLE personal_data (
    district BIGINT NOT NULL,
    subject TEXT NOT NULL,
    purpose TEXT NOT NULL,
    retain_until BIGINT,
    sealed BLOB NOT NULL,
    PRIMARY KEY (district, subject, purpose)
) WITHOUT ROWID;

CREATE TABLE idempotency (
    district BIGINT NOT NULL,
    client TEXT NOT NULL,
    route TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    body_hash BLOB NOT NULL,
    sealed_reply BLOB NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (district, client, route, key_hash)
) WITHOUT ROWID;
CREATE INDEX idempotency_expires ON idempotency (district, expires);

-- global
CREATE TABLE api_key (
    id BLOB NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
