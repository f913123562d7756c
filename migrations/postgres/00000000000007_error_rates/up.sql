-- Limits on the share of LLM Runs that fail: while one is passed, what was found when it was.

ALTER TABLE limits ADD COLUMN overrun_value BIGINT;
ALTER TABLE limits ADD COLUMN overrun_runs BIGINT;
ALTER TABLE limits ADD COLUMN overrun_since BIGINT;
-- The job starts without a tenant.
CREATE INDEX limits_measured ON limits (limit_type, tenant_id, id) WHERE limit_type = 'ERROR_RATE_PCT';
