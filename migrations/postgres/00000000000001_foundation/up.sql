-- Times are microseconds since the epoch, money is nano-USD, ids and JSON are text.
-- Primary and unique keys of a tenant's tables begin with tenant_id; foreign keys contain it.

CREATE TABLE tenants (
    id            TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL UNIQUE,
    state         TEXT   NOT NULL CHECK (state IN ('ACTIVE', 'FROZEN')),
    freeze_reason TEXT,
    floor_price   BIGINT CHECK (floor_price >= 0),
    -- Grows with every change of the tenant's limits, so that a cached copy knows when it is old.
    limits_version BIGINT NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL
);

CREATE TABLE operators (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    token_hash TEXT   NOT NULL UNIQUE,
    last4      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE TABLE projects (
    tenant_id   TEXT   NOT NULL REFERENCES tenants (id),
    id          TEXT   NOT NULL,
    description TEXT,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE agents (
    tenant_id   TEXT   NOT NULL REFERENCES tenants (id),
    id          TEXT   NOT NULL,
    project_id  TEXT,
    description TEXT,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, project_id) REFERENCES projects (tenant_id, id)
);
CREATE INDEX agents_project ON agents (tenant_id, project_id);

CREATE TABLE api_keys (
    tenant_id     TEXT   NOT NULL REFERENCES tenants (id),
    id            TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    key_hash      TEXT   NOT NULL,
    last4         TEXT   NOT NULL,
    live          BOOLEAN NOT NULL,
    scopes        TEXT   NOT NULL,
    status        TEXT   NOT NULL CHECK (status IN ('ACTIVE', 'FROZEN', 'REVOKED')),
    freeze_reason TEXT,
    rpm           INTEGER CHECK (rpm BETWEEN 1 AND 1000000),
    expires_at    BIGINT,
    created_at    BIGINT NOT NULL,
    last_used_at  BIGINT,
    revoked_at    BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, key_hash)
);
-- The one look-up that starts without a tenant: who is this?
CREATE INDEX api_keys_hash ON api_keys (key_hash);

CREATE TABLE limits (
    tenant_id      TEXT   NOT NULL REFERENCES tenants (id),
    id             TEXT   NOT NULL,
    name           TEXT   NOT NULL,
    description    TEXT,
    category       TEXT   NOT NULL CHECK (category IN ('BUDGET', 'RATE', 'THRESHOLD')),
    limit_type     TEXT   NOT NULL
                   CHECK (limit_type IN (
                       'COST_USD', 'TOKENS_TOTAL', 'TOKENS_INPUT', 'TOKENS_OUTPUT', 'REQUESTS_TOTAL',
                       'REQUESTS_PER_SECOND', 'REQUESTS_PER_MINUTE', 'REQUESTS_PER_HOUR', 'TOKENS_PER_MINUTE',
                       'TOKENS_PER_HOUR', 'TOKENS_PER_RUN', 'COST_USD_PER_RUN', 'LATENCY_MS', 'DURATION_MS',
                       'RETRY_COUNT', 'ERROR_RATE_PCT'
                   )),
    scope          TEXT   NOT NULL CHECK (scope IN ('GLOBAL', 'TENANT', 'PROJECT', 'AGENT', 'PROVIDER')),
    scope_id       TEXT,
    api_key_id     TEXT,
    model          TEXT,
    max_value      BIGINT NOT NULL CHECK (max_value > 0),
    reset_period   TEXT   CHECK (reset_period IN ('DAILY', 'WEEKLY', 'MONTHLY', 'NONE')),
    zone           TEXT,
    week_start     TEXT   CHECK (week_start IN ('MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY',
                                                'SUNDAY')),
    window_seconds INTEGER CHECK (window_seconds >= 1),
    enforcement    TEXT   NOT NULL
                   CHECK (enforcement IN ('BLOCK', 'WARN', 'REJECT', 'QUEUE', 'DEGRADE', 'ALERT')),
    -- How that is done (model::limit::Handling).
    queue_ms       BIGINT CHECK (queue_ms > 0),
    degrade_model  TEXT,
    degrade_output_tokens BIGINT CHECK (degrade_output_tokens > 0),
    consequence    TEXT   CHECK (consequence IN ('ALERT', 'INCIDENT', 'ABORT')),
    measured_seconds INTEGER CHECK (measured_seconds > 0),
    -- The latest override (limit_overrides), so that a decision needs one row.
    raise_id       TEXT,
    raised_max     BIGINT CHECK (raised_max > 0),
    raised_from    BIGINT,
    raised_until   BIGINT,
    status         TEXT   NOT NULL CHECK (status IN ('ACTIVE', 'DISABLED')),
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, api_key_id) REFERENCES api_keys (tenant_id, id),
    CHECK ((category = 'BUDGET') = (reset_period IS NOT NULL)),
    CHECK ((category = 'RATE') = (window_seconds IS NOT NULL)),
    CHECK ((reset_period IS NULL) = (zone IS NULL)),
    CHECK ((reset_period IS NULL) = (week_start IS NULL)),
    CHECK ((raise_id IS NULL) = (raised_max IS NULL)),
    CHECK ((raise_id IS NULL) = (raised_from IS NULL)),
    CHECK ((raise_id IS NULL) = (raised_until IS NULL)),
    CHECK ((scope IN ('PROJECT', 'AGENT', 'PROVIDER')) = (scope_id IS NOT NULL))
);
CREATE INDEX limits_status ON limits (tenant_id, status, category);
CREATE INDEX limits_api_key ON limits (tenant_id, api_key_id);
-- No two ACTIVE limits count the same in the same way (services::limits::is_twin).
CREATE UNIQUE INDEX limits_twin ON limits (
    tenant_id, category, limit_type, scope, enforcement,
    COALESCE(scope_id, ''), COALESCE(api_key_id, ''), COALESCE(model, ''),
    COALESCE(reset_period, ''), COALESCE(zone, ''), COALESCE(week_start, ''), COALESCE(window_seconds, 0)
) WHERE status = 'ACTIVE';

-- What every window of every limit has settled and holds. The ledger (holds) explains each row.
-- Its rows change all the time: with room on its page a new version needs no entry in an index.
CREATE TABLE limit_counters (
    tenant_id    TEXT   NOT NULL,
    limit_id     TEXT   NOT NULL,
    window_start BIGINT NOT NULL,
    settled      BIGINT NOT NULL,
    held         BIGINT NOT NULL,
    -- The window to which the limit was moved meanwhile, if it was: open holds that were taken since that window began
    -- count there (model::hold::HoldItem::counts_in), and no hold is taken here any more.
    moved_to     BIGINT,
    PRIMARY KEY (tenant_id, limit_id, window_start),
    FOREIGN KEY (tenant_id, limit_id) REFERENCES limits (tenant_id, id)
) WITH (fillfactor = 50);

CREATE TABLE holds (
    tenant_id   TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    status      TEXT   NOT NULL CHECK (status IN ('PENDING', 'SETTLED', 'RELEASED', 'EXPIRED')),
    decision_id TEXT   NOT NULL,
    run_id      TEXT,
    subject     TEXT   NOT NULL,
    requested   TEXT   NOT NULL,
    settled     TEXT,
    items       TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    PRIMARY KEY (tenant_id, id),
    CHECK ((status = 'PENDING') = (ended_at IS NULL)),
    CHECK ((status = 'SETTLED') = (settled IS NOT NULL))
);
CREATE INDEX holds_open ON holds (expires_at) WHERE status = 'PENDING';

-- Permanent: an answer once given to a key is the answer for ever.
CREATE TABLE idempotency_keys (
    tenant_id   TEXT    NOT NULL,
    operation   TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    principal   TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    status      INTEGER NOT NULL CHECK (status < 500),
    body        TEXT    NOT NULL,
    created_at  BIGINT  NOT NULL,
    PRIMARY KEY (tenant_id, operation, key)
);

CREATE TABLE runs (
    tenant_id      TEXT    NOT NULL,
    id             TEXT    NOT NULL,
    status         TEXT    NOT NULL CHECK (status IN ('queued', 'running', 'retry', 'succeeded', 'failed',
                                                      'aborted', 'halted', 'crashed', 'blocked')),
    operation      TEXT    NOT NULL,
    subject        TEXT    NOT NULL,
    provider       TEXT,
    model          TEXT,
    api_key_id     TEXT,
    served_model   TEXT,
    stream         BOOLEAN NOT NULL,
    decision_id    TEXT    NOT NULL,
    hold_id        TEXT,
    estimated      TEXT    NOT NULL,
    usage          TEXT,
    usage_source   TEXT    NOT NULL CHECK (usage_source IN ('PROVIDER', 'ESTIMATED', 'NONE')),
    cost           BIGINT,
    http_status    INTEGER,
    error_code     TEXT,
    retries        INTEGER NOT NULL,
    started_at     BIGINT  NOT NULL,
    first_byte_at  BIGINT,
    completed_at   BIGINT,
    correlation_id TEXT    NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX runs_newest ON runs (tenant_id, started_at, id);

CREATE TABLE cost_records (
    tenant_id     TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    run_id        TEXT,
    hold_id       TEXT   NOT NULL,
    api_key_id    TEXT,
    project_id    TEXT,
    agent_id      TEXT,
    feature       TEXT,
    session_id    TEXT,
    end_user      TEXT,
    provider      TEXT,
    model         TEXT,
    input_tokens  BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    usage         TEXT   NOT NULL,
    cost          BIGINT NOT NULL,
    price_version TEXT,
    source        TEXT   NOT NULL CHECK (source IN ('GATEWAY', 'SDK')),
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id),
    FOREIGN KEY (tenant_id, api_key_id) REFERENCES api_keys (tenant_id, id)
);
CREATE INDEX cost_records_time ON cost_records (tenant_id, created_at);
CREATE INDEX cost_records_run ON cost_records (tenant_id, run_id);
CREATE INDEX cost_records_key ON cost_records (tenant_id, api_key_id, created_at);

-- What was decided about an LLM request, with what the decision was taken on: enough to take it again.
CREATE TABLE decisions (
    tenant_id      TEXT   NOT NULL,
    id             TEXT   NOT NULL,
    engine         TEXT   NOT NULL,
    engine_version TEXT   NOT NULL,
    outcome        TEXT   NOT NULL CHECK (outcome IN ('ALLOW', 'WARN', 'BLOCK')),
    run_id         TEXT,
    hold_id        TEXT,
    input_hash     TEXT   NOT NULL,
    input          TEXT   NOT NULL,
    output         TEXT   NOT NULL,
    correlation_id TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE limit_breaches (
    tenant_id       TEXT   NOT NULL,
    id              TEXT   NOT NULL,
    limit_owner     TEXT   NOT NULL,
    limit_id        TEXT   NOT NULL,
    run_id          TEXT,
    decision_id     TEXT   NOT NULL,
    breach_type     TEXT   NOT NULL CHECK (breach_type IN ('BREACHED', 'EXHAUSTED', 'THROTTLED', 'VIOLATED')),
    value_at_breach BIGINT NOT NULL,
    limit_value     BIGINT NOT NULL,
    breached_at     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (limit_owner, limit_id) REFERENCES limits (tenant_id, id)
);
CREATE INDEX limit_breaches_limit ON limit_breaches (limit_owner, limit_id, tenant_id, breached_at);

-- Platform events carry the platform's own tenant id.
CREATE TABLE ops_events (
    tenant_id   TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    event_type  TEXT   NOT NULL CHECK (event_type IN (
                    'API_CALL_RECEIVED', 'INCIDENT_CREATED', 'INCIDENT_VIEWED', 'REPLAY_EXECUTED',
                    'EXPORT_GENERATED', 'CERT_VERIFIED', 'POLICY_EVALUATED', 'POLICY_BLOCKED', 'LLM_CALL_MADE',
                    'LLM_CALL_FAILED', 'INFRA_LIMIT_HIT', 'SUBSCRIPTION_STARTED', 'SUBSCRIPTION_CANCELLED',
                    'FREEZE_ACTIVATED', 'LOGIN')),
    user_id     TEXT,
    session_id  TEXT,
    entity_type TEXT,
    entity_id   TEXT,
    severity    INTEGER CHECK (severity BETWEEN 1 AND 5),
    latency_ms  BIGINT,
    cost        BIGINT,
    metadata    TEXT   NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ops_events_time ON ops_events (tenant_id, at);

-- Forensic: never shown to a client.
CREATE TABLE infra_error_events (
    error_id         TEXT   NOT NULL PRIMARY KEY,
    at               BIGINT NOT NULL,
    layer            TEXT   NOT NULL CHECK (layer IN ('L2', 'L3', 'L4', 'L5', 'L6')),
    component        TEXT   NOT NULL,
    error_class      TEXT   NOT NULL
                     CHECK (error_class IN (
                         'infra.network', 'infra.database', 'infra.external_service', 'infra.timeout',
                         'infra.resource_exhausted', 'infra.connection', 'domain.validation',
                         'domain.authorization', 'domain.rate_limit', 'domain.budget_exceeded',
                         'domain.policy_violation', 'domain.constraint', 'domain.not_found', 'system.internal',
                         'system.configuration', 'system.recovery_failed', 'system.state_corruption',
                         'system.assertion', 'unknown'
                     )),
    severity         TEXT   NOT NULL CHECK (severity IN ('debug', 'info', 'warning', 'error', 'critical')),
    message          TEXT   NOT NULL,
    correlation_id   TEXT,
    decision_id      TEXT,
    run_id           TEXT,
    agent_id         TEXT,
    tenant_id        TEXT,
    input_hash       TEXT,
    exception_type   TEXT,
    exception_chain  TEXT,
    context          TEXT   NOT NULL,
    envelope_version TEXT   NOT NULL,
    created_at       BIGINT NOT NULL
);
CREATE INDEX infra_error_events_correlation ON infra_error_events (correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX infra_error_events_component ON infra_error_events (component, at);
CREATE INDEX infra_error_events_class ON infra_error_events (error_class, at);
CREATE INDEX infra_error_events_created ON infra_error_events (created_at);
CREATE INDEX infra_error_events_run ON infra_error_events (run_id) WHERE run_id IS NOT NULL;

-- Grows with every change of a key or a tenant, so that a node knows when what it remembers of them is old.
CREATE TABLE credential_changes (
    name    TEXT NOT NULL PRIMARY KEY CHECK (name = 'all'),
    version BIGINT NOT NULL
);
INSERT INTO credential_changes (name, version) VALUES ('all', 0);

-- Deletion from an append-only table passes only in a transaction in which the retention function has
-- set plimsoll.retention to 'on' (transaction-local).
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('plimsoll.retention', true) = 'on' THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION '% is append-only: updates are forbidden', TG_TABLE_NAME;
    END IF;
    RAISE EXCEPTION '% is append-only: only the retention function may delete', TG_TABLE_NAME;
END
$$;

CREATE TRIGGER infra_error_events_no_update BEFORE UPDATE ON infra_error_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER infra_error_events_no_delete BEFORE DELETE ON infra_error_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER infra_error_events_no_truncate BEFORE TRUNCATE ON infra_error_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER cost_records_no_update BEFORE UPDATE ON cost_records FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cost_records_no_delete BEFORE DELETE ON cost_records FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cost_records_no_truncate BEFORE TRUNCATE ON cost_records FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The owner of what belongs to the installation itself.
INSERT INTO tenants (id, name, state, created_at) VALUES ('tnt_00000000000000000000000000', 'platform', 'ACTIVE', 0);

-- What belongs to the installation itself. cursor_key signs the cursors of lists: whoever can read it here can read
-- the lists as well.
CREATE TABLE installation (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO installation (name, value) VALUES ('cursor_key', 
    -- arch:expect(ARCH-SQL-007): the key is made once and never again; until=2027-03-31
    replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
