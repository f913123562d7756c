-- What is decided about Limits: their history as a chain of hashes, what was found of it, overrides; and who did what.

CREATE TABLE limit_overrides (
    tenant_id      TEXT NOT NULL,
    id             TEXT NOT NULL,
    limit_id       TEXT NOT NULL,
    limit_type     TEXT NOT NULL,
    original_value INTEGER NOT NULL CHECK (original_value > 0),
    override_value INTEGER NOT NULL CHECK (override_value > 0),
    status         TEXT NOT NULL CHECK (status IN ('PENDING', 'APPROVED', 'ACTIVE', 'EXPIRED', 'REJECTED', 'CANCELLED')),
    reason         TEXT NOT NULL,
    requested_by   TEXT NOT NULL,
    approved_by    TEXT,
    cancelled_by   TEXT,
    created_at     INTEGER NOT NULL,
    starts_at      INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    cancelled_at   INTEGER,
    -- When it is over, as long as nobody has ended it.
    open_until     INTEGER,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, limit_id) REFERENCES limits (tenant_id, id),
    CHECK (starts_at < expires_at),
    CHECK ((status = 'CANCELLED') = (cancelled_at IS NOT NULL))
) STRICT;
CREATE INDEX limit_overrides_limit ON limit_overrides (tenant_id, limit_id, id);
-- The job that ends them starts without a tenant.
CREATE INDEX limit_overrides_due ON limit_overrides (open_until) WHERE open_until IS NOT NULL;
-- A limit has one at a time.
CREATE UNIQUE INDEX limit_overrides_live ON limit_overrides (tenant_id, limit_id)
    WHERE open_until IS NOT NULL;

-- Everything a limit has said, as a chain of hashes (model::integrity).
CREATE TABLE limit_versions (
    tenant_id  TEXT NOT NULL,
    limit_id   TEXT NOT NULL,
    version    INTEGER NOT NULL CHECK (version >= 1),
    definition TEXT NOT NULL,
    hash       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, limit_id, version),
    FOREIGN KEY (tenant_id, limit_id) REFERENCES limits (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
) STRICT;

-- Whether a limit still says what was decided. It is written before the limit, in the same transaction.
CREATE TABLE limit_integrity (
    tenant_id    TEXT NOT NULL,
    limit_id     TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('VERIFIED', 'DEGRADED', 'FAILED')),
    -- In thousandths.
    score        INTEGER NOT NULL CHECK (score BETWEEN 0 AND 1000),
    hash_root    TEXT NOT NULL,
    first_broken INTEGER,
    computed_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, limit_id),
    FOREIGN KEY (tenant_id, limit_id) REFERENCES limits (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE INDEX limit_integrity_computed ON limit_integrity (computed_at);

-- Who changed what. Every tenant's entries are a chain of hashes (model::audit).
CREATE TABLE audit_ledger (
    tenant_id      TEXT NOT NULL,
    seq            INTEGER NOT NULL CHECK (seq >= 1),
    id             TEXT NOT NULL,
    event_type     TEXT NOT NULL,
    entity_type    TEXT NOT NULL,
    entity_id      TEXT NOT NULL,
    actor_type     TEXT NOT NULL CHECK (actor_type IN ('HUMAN', 'SYSTEM', 'AGENT')),
    actor_id       TEXT,
    reason         TEXT,
    before_state   TEXT,
    after_state    TEXT,
    correlation_id TEXT NOT NULL,
    hash           TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, seq),
    UNIQUE (tenant_id, id)
) STRICT;
CREATE INDEX audit_ledger_entity ON audit_ledger (tenant_id, entity_type, entity_id, seq);
CREATE INDEX audit_ledger_event ON audit_ledger (tenant_id, event_type, seq);
CREATE INDEX audit_ledger_actor ON audit_ledger (tenant_id, actor_type, actor_id, seq);

-- The timeline: what happened, in words that may grow.
CREATE TABLE domain_events (
    tenant_id      TEXT NOT NULL,
    id             TEXT NOT NULL,
    at             INTEGER NOT NULL,
    source_domain  TEXT NOT NULL,
    event_type     TEXT NOT NULL,
    entity_id      TEXT NOT NULL,
    related        TEXT NOT NULL,
    summary        TEXT NOT NULL,
    data           TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX domain_events_time ON domain_events (tenant_id, at, id);
CREATE INDEX domain_events_entity ON domain_events (tenant_id, entity_id, id);
CREATE INDEX domain_events_correlation ON domain_events (tenant_id, correlation_id);

-- How often each limit was breached by a tenant's requests on each day (UTC), so that nobody counts the history.
CREATE TABLE limit_breach_days (
    tenant_id   TEXT NOT NULL,
    limit_owner TEXT NOT NULL,
    limit_id    TEXT NOT NULL,
    day         INTEGER NOT NULL,
    breaches    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, limit_owner, limit_id, day),
    FOREIGN KEY (limit_owner, limit_id) REFERENCES limits (tenant_id, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX limit_breach_days_limit ON limit_breach_days (limit_owner, limit_id);

CREATE TRIGGER limit_versions_no_update BEFORE UPDATE ON limit_versions
BEGIN
    SELECT RAISE(ABORT, 'limit_versions is append-only: updates are forbidden');
END;
CREATE TRIGGER limit_versions_no_delete BEFORE DELETE ON limit_versions
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'limit_versions is append-only: only the retention function may delete');
END;

CREATE TRIGGER audit_ledger_no_update BEFORE UPDATE ON audit_ledger
BEGIN
    SELECT RAISE(ABORT, 'audit_ledger is append-only: updates are forbidden');
END;
CREATE TRIGGER audit_ledger_no_delete BEFORE DELETE ON audit_ledger
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'audit_ledger is append-only: only the retention function may delete');
END;

CREATE TRIGGER domain_events_no_update BEFORE UPDATE ON domain_events
BEGIN
    SELECT RAISE(ABORT, 'domain_events is append-only: updates are forbidden');
END;
CREATE TRIGGER domain_events_no_delete BEFORE DELETE ON domain_events
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'domain_events is append-only: only the retention function may delete');
END;

-- An ACTIVE limit has its integrity row. SQLite has no deferred triggers: the row is written first.
CREATE TRIGGER limits_integrity_insert BEFORE INSERT ON limits
WHEN NEW.status = 'ACTIVE' AND NOT EXISTS (
    SELECT 1 FROM limit_integrity WHERE tenant_id = NEW.tenant_id AND limit_id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'an ACTIVE limit needs its row in limit_integrity');
END;
CREATE TRIGGER limits_integrity_update BEFORE UPDATE ON limits
WHEN NEW.status = 'ACTIVE' AND NOT EXISTS (
    SELECT 1 FROM limit_integrity WHERE tenant_id = NEW.tenant_id AND limit_id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'an ACTIVE limit needs its row in limit_integrity');
END;
CREATE TRIGGER limit_integrity_delete BEFORE DELETE ON limit_integrity
WHEN EXISTS (SELECT 1 FROM limits WHERE tenant_id = OLD.tenant_id AND id = OLD.limit_id AND status = 'ACTIVE')
BEGIN
    SELECT RAISE(ABORT, 'an ACTIVE limit needs its row in limit_integrity');
END;
CREATE TRIGGER limit_integrity_update BEFORE UPDATE ON limit_integrity
WHEN NEW.tenant_id <> OLD.tenant_id OR NEW.limit_id <> OLD.limit_id
BEGIN
    SELECT RAISE(ABORT, 'the row of a limit in limit_integrity stays its own');
END;
