-- With row ids: among the keys of a tree, a reply is too long to lie in one page, and each comparison of keys reads on in
-- the next.
CREATE TABLE idempotency_with_rowid (
    district BIGINT NOT NULL,
    client TEXT NOT NULL,
    route TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    body_hash BLOB NOT NULL,
    sealed_reply BLOB NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (district, client, route, key_hash)
);
INSERT INTO idempotency_with_rowid SELECT district, client, route, key_hash, body_hash, sealed_reply, expires FROM idempotency;
DROP TABLE idempotency;
ALTER TABLE idempotency_with_rowid RENAME TO idempotency;
CREATE INDEX idempotency_expires ON idempotency (expires);
