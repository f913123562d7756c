ALTER TABLE limit_recent DROP COLUMN told_at;
DROP INDEX limits_twin;
DROP INDEX limits_measured;
ALTER TABLE limits RENAME COLUMN limit_type TO limit_type_before;
ALTER TABLE limits ADD COLUMN limit_type TEXT NOT NULL DEFAULT 'COST_USD'
                             CHECK (limit_type IN (
                                 'COST_USD', 'TOKENS_TOTAL', 'TOKENS_INPUT', 'TOKENS_OUTPUT', 'REQUESTS_TOTAL',
                                 'REQUESTS_PER_SECOND', 'REQUESTS_PER_MINUTE', 'REQUESTS_PER_HOUR', 'TOKENS_PER_MINUTE',
                                 'TOKENS_PER_HOUR', 'TOKENS_PER_RUN', 'COST_USD_PER_RUN', 'LATENCY_MS', 'DURATION_MS',
                                 'RETRY_COUNT', 'ERROR_RATE_PCT'
                             ));
UPDATE limits SET limit_type = limit_type_before;
ALTER TABLE limits DROP COLUMN limit_type_before;
CREATE INDEX limits_measured ON limits (limit_type, tenant_id, id) WHERE limit_type = 'ERROR_RATE_PCT';
ALTER TABLE limits DROP COLUMN end_user;
ALTER TABLE limits DROP COLUMN feature;
CREATE UNIQUE INDEX limits_twin ON limits (
    tenant_id, category, limit_type, scope, enforcement,
    COALESCE(scope_id, ''), COALESCE(api_key_id, ''), COALESCE(model, ''),
    COALESCE(reset_period, ''), COALESCE(zone, ''), COALESCE(week_start, ''), COALESCE(window_seconds, 0)
) WHERE status = 'ACTIVE';
