-- Without the district in front: of an empty table a server takes any index whose first column it knows, and then reads
-- all of the district where it should have looked one row up.
DROP INDEX idempotency_expires;
CREATE INDEX idempotency_expires ON idempotency (expires);
DROP INDEX report_order;
CREATE INDEX report_order ON report (work_order, district);
-- What is sealed cannot be compressed.
ALTER TABLE idempotency ALTER COLUMN sealed_reply SET STORAGE EXTERNAL;
