-- Which costs are those of something that was tried before: how many there are in a day tells a loop of retries.

ALTER TABLE cost_records ADD COLUMN is_retry INTEGER NOT NULL DEFAULT 0 CHECK (is_retry IN (0, 1));
ALTER TABLE cost_days ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
