-- What is decided about Limits: their history as a chain of hashes, what was found of it, overrides; and who did what.

CREATE TABLE limit_overrides (
    tenant_id      TEXT NOT NULL,
    id             TEXT NOT NULL,
    limit_id       TEXT NOT NULL,
    limit_type     TEXT NOT NULL,
    original_value BIGINT NOT NULL CHECK (original_value > 0),
    override_value BIGINT NOT NULL CHECK (override_value > 0),
    status         TEXT NOT NULL CHECK (status IN ('PENDING', 'APPROVED', 'ACTIVE', 'EXPIRED', 'REJECTED', 'CANCELLED')),
    reason         TEXT NOT NULL,
    requested_by   TEXT NOT NULL,
    approved_by    TEXT,
    cancelled_by   TEXT,
    created_at     BIGINT NOT NULL,
    starts_at      BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    cancelled_at   BIGINT,
    -- When it is over, as long as nobody has ended it.
    open_until     BIGINT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, limit_id) REFERENCES limits (tenant_id, id),
    CHECK (starts_at < expires_at),
    CHECK ((status = 'CANCELLED') = (cancelled_at IS NOT NULL))
);
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
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, limit_id, version),
    FOREIGN KEY (tenant_id, limit_id) REFERENCES limits (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);

-- Whether a limit still says what was decided. It is written before the limit, in the same transaction.
CREATE TABLE limit_integrity (
    tenant_id    TEXT NOT NULL,
    limit_id     TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('VERIFIED', 'DEGRADED', 'FAILED')),
    -- In thousandths.
    score        BIGINT NOT NULL CHECK (score BETWEEN 0 AND 1000),
    hash_root    TEXT NOT NULL,
    first_broken INTEGER,
    computed_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, limit_id),
    FOREIGN KEY (tenant_id, limit_id) REFERENCES limits (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX limit_integrity_computed ON limit_integrity (computed_at);

-- Who changed what. Every tenant's entries are a chain of hashes (model::audit).
CREATE TABLE audit_ledger (
    tenant_id      TEXT NOT NULL,
    seq            BIGINT NOT NULL CHECK (seq >= 1),
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
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, seq),
    UNIQUE (tenant_id, id)
);
CREATE INDEX audit_ledger_entity ON audit_ledger (tenant_id, entity_type, entity_id, seq);
CREATE INDEX audit_ledger_event ON audit_ledger (tenant_id, event_type, seq);
CREATE INDEX audit_ledger_actor ON audit_ledger (tenant_id, actor_type, actor_id, seq);

-- The timeline: what happened, in words that may grow.
CREATE TABLE domain_events (
    tenant_id      TEXT NOT NULL,
    id             TEXT NOT NULL,
    at             BIGINT NOT NULL,
    source_domain  TEXT NOT NULL,
    event_type     TEXT NOT NULL,
    entity_id      TEXT NOT NULL,
    related        TEXT NOT NULL,
    summary        TEXT NOT NULL,
    data           TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX domain_events_time ON domain_events (tenant_id, at, id);
CREATE INDEX domain_events_entity ON domain_events (tenant_id, entity_id, id);
CREATE INDEX domain_events_correlation ON domain_events (tenant_id, correlation_id);

-- How often each limit was breached by a tenant's requests on each day (UTC), so that nobody counts the history.
CREATE TABLE limit_breach_days (
    tenant_id   TEXT NOT NULL,
    limit_owner TEXT NOT NULL,
    limit_id    TEXT NOT NULL,
    day         BIGINT NOT NULL,
    breaches    BIGINT NOT NULL,
    last_at     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, limit_owner, limit_id, day),
    FOREIGN KEY (limit_owner, limit_id) REFERENCES limits (tenant_id, id)
);
CREATE INDEX limit_breach_days_limit ON limit_breach_days (limit_owner, limit_id);

CREATE TRIGGER limit_versions_no_update BEFORE UPDATE ON limit_versions FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER limit_versions_no_delete BEFORE DELETE ON limit_versions FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER limit_versions_no_truncate BEFORE TRUNCATE ON limit_versions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER audit_ledger_no_update BEFORE UPDATE ON audit_ledger FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_ledger_no_delete BEFORE DELETE ON audit_ledger FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_ledger_no_truncate BEFORE TRUNCATE ON audit_ledger FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER domain_events_no_update BEFORE UPDATE ON domain_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER domain_events_no_delete BEFORE DELETE ON domain_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER domain_events_no_truncate BEFORE TRUNCATE ON domain_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An ACTIVE limit has its integrity row: looked for when the transaction ends. As foreign keys do, both look under a lock, so
-- that of two transactions neither misses what the other one is about to commit.
CREATE FUNCTION limit_needs_integrity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM limits l WHERE l.tenant_id = NEW.tenant_id AND l.id = NEW.id AND l.status = 'ACTIVE') THEN
        -- arch:expect(ARCH-SQL-001): a trigger locks what a foreign key would; until=2027-03-31
        PERFORM 1 FROM limit_integrity i WHERE i.tenant_id = NEW.tenant_id AND i.limit_id = NEW.id FOR KEY SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'an ACTIVE limit needs its row in limit_integrity' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION limit_integrity_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    standing text;
BEGIN
    -- arch:expect(ARCH-SQL-001): a trigger locks what a foreign key would; until=2027-03-31
    SELECT l.status INTO standing FROM limits l WHERE l.tenant_id = OLD.tenant_id AND l.id = OLD.limit_id FOR SHARE;
    IF standing = 'ACTIVE'
        AND NOT EXISTS (SELECT 1 FROM limit_integrity i
                        WHERE i.tenant_id = OLD.tenant_id AND i.limit_id = OLD.limit_id)
    THEN
        RAISE EXCEPTION 'an ACTIVE limit needs its row in limit_integrity' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER limits_integrity_insert AFTER INSERT ON limits
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION limit_needs_integrity();
CREATE CONSTRAINT TRIGGER limits_integrity_update AFTER UPDATE ON limits
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION limit_needs_integrity();
CREATE CONSTRAINT TRIGGER limit_integrity_delete AFTER DELETE ON limit_integrity
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION limit_integrity_stays();
CREATE CONSTRAINT TRIGGER limit_integrity_update AFTER UPDATE ON limit_integrity
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN ((OLD.tenant_id, OLD.limit_id) IS DISTINCT FROM (NEW.tenant_id, NEW.limit_id))
    EXECUTE FUNCTION limit_integrity_stays();
CREATE FUNCTION limit_integrity_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ACTIVE limits need their rows in limit_integrity' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER limit_integrity_no_truncate BEFORE TRUNCATE ON limit_integrity
    FOR EACH STATEMENT EXECUTE FUNCTION limit_integrity_truncate();
