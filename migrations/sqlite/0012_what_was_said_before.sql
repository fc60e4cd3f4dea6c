-- Whether the file names the code of a cover that is new; the registry gives the others, and may give them anew.
ALTER TABLE cover_stage ADD COLUMN names_code BIGINT NOT NULL DEFAULT 1;
