-- Limits on the share of LLM Runs that fail: while one is passed, what was found when it was.

ALTER TABLE limits ADD COLUMN overrun_value INTEGER;
ALTER TABLE limits ADD COLUMN overrun_runs INTEGER;
ALTER TABLE limits ADD COLUMN overrun_since INTEGER;
-- The job starts without a tenant.
CREATE INDEX limits_measured ON limits (limit_type, tenant_id, id) WHERE limit_type = 'ERROR_RATE_PCT';
