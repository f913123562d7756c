-- Of which windows it was told that the limit was passed: the one that was told last, and the other one before it. What is
-- settled late passes one that is over.
ALTER TABLE limit_recent ADD COLUMN told_window INTEGER;
ALTER TABLE limit_recent ADD COLUMN other_told_at INTEGER;
ALTER TABLE limit_recent ADD COLUMN other_told_window INTEGER;
