ALTER TABLE cost_days DROP COLUMN retries;
ALTER TABLE cost_records DROP COLUMN is_retry;
