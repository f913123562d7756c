-- Which costs are those of something that was tried before: how many there are in a day tells a loop of retries.

ALTER TABLE cost_records ADD COLUMN is_retry BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE cost_days ADD COLUMN retries BIGINT NOT NULL DEFAULT 0;
