-- Codes that a cover once had lead to it, and are not given again.
CREATE INDEX cover_version_code ON cover_version (district, code);
-- What a cover was delivered as.
CREATE INDEX cover_source_cover ON cover_source (district, cover);
