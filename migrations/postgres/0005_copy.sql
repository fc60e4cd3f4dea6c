-- global; how far a copy of another database into this one has come. While it has rows, nothing of this database is served.
CREATE TABLE copy_progress (
    position BIGINT NOT NULL PRIMARY KEY,
    table_name TEXT COLLATE "C" NOT NULL,
    last_key TEXT COLLATE "C",
    copied BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL
);
