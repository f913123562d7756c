ALTER TABLE limit_recent DROP COLUMN other_told_window;
ALTER TABLE limit_recent DROP COLUMN other_told_at;
ALTER TABLE limit_recent DROP COLUMN told_window;
