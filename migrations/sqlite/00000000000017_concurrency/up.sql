-- Limits on what runs at one time, limits of a feature and of an end user, and limits that are passed and let pass.

DROP INDEX limits_twin;
DROP INDEX limits_measured;
-- SQLite changes no CHECK: the column is made anew.
ALTER TABLE limits RENAME COLUMN limit_type TO limit_type_before;
ALTER TABLE limits ADD COLUMN limit_type TEXT NOT NULL DEFAULT 'COST_USD'
                             CHECK (limit_type IN (
                                 'COST_USD', 'TOKENS_TOTAL', 'TOKENS_INPUT', 'TOKENS_OUTPUT', 'REQUESTS_TOTAL', 'CONCURRENT_RUNS',
                                 'REQUESTS_PER_SECOND', 'REQUESTS_PER_MINUTE', 'REQUESTS_PER_HOUR', 'TOKENS_PER_MINUTE',
                                 'TOKENS_PER_HOUR', 'TOKENS_PER_RUN', 'COST_USD_PER_RUN', 'LATENCY_MS', 'DURATION_MS',
                                 'RETRY_COUNT', 'ERROR_RATE_PCT'
                             ));
UPDATE limits SET limit_type = limit_type_before;
ALTER TABLE limits DROP COLUMN limit_type_before;
CREATE INDEX limits_measured ON limits (limit_type, tenant_id, id) WHERE limit_type = 'ERROR_RATE_PCT';

-- Only requests for this feature of the customer's product, and for this user of the customer's.
ALTER TABLE limits ADD COLUMN feature TEXT;
ALTER TABLE limits ADD COLUMN end_user TEXT;
-- No two ACTIVE limits count the same in the same way (services::limits::is_twin).
CREATE UNIQUE INDEX limits_twin ON limits (
    tenant_id, category, limit_type, scope, enforcement,
    COALESCE(scope_id, ''), COALESCE(api_key_id, ''), COALESCE(model, ''),
    COALESCE(feature, ''), COALESCE(end_user, ''),
    COALESCE(reset_period, ''), COALESCE(zone, ''), COALESCE(week_start, ''), COALESCE(window_seconds, 0)
) WHERE status = 'ACTIVE';

-- When a WARN or ALERT limit was last told to be passed, which happens once in a window.
ALTER TABLE limit_recent ADD COLUMN told_at INTEGER;
