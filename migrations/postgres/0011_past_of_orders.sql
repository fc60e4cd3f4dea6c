-- What orders were: a state holds from `updated_at` on, one that is past until `superseded_at`. Instants are those of commits
-- and as good as their numbers, and each order says its own already. `tasks` is JSON.
CREATE TABLE work_order_version (
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
    superseded_at BIGINT NOT NULL,
    tasks TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (district, number, updated_at)
);

-- From here on the past of every order is kept: what had been changed before was not. All writers wait for this, so it reads no
-- orders.
ALTER TABLE district_head ADD COLUMN orders_since BIGINT NOT NULL DEFAULT 0;
UPDATE district_head SET orders_since = last_time;
