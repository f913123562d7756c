-- What is decided by Policy Rules, what they did, what is proposed, and the Incidents they come from.

CREATE TABLE policy_rules (
    tenant_id         TEXT NOT NULL REFERENCES tenants (id),
    id                TEXT NOT NULL,
    version           INTEGER NOT NULL CHECK (version >= 1),
    name              TEXT NOT NULL,
    description       TEXT,
    rule_type         TEXT NOT NULL CHECK (rule_type IN ('CONDITION', 'PII_FILTER', 'SAFETY_BASIC', 'CONTENT_ACCURACY',
                                                         'PROMPT_INJECTION')),
    stage             TEXT NOT NULL CHECK (stage IN ('INPUT', 'OUTPUT')),
    condition         TEXT,
    -- In thousandths.
    min_confidence    INTEGER NOT NULL CHECK (min_confidence BETWEEN 0 AND 1000),
    scope             TEXT NOT NULL CHECK (scope IN ('GLOBAL', 'TENANT', 'PROJECT', 'AGENT')),
    scope_id          TEXT,
    enforcement_mode  TEXT NOT NULL CHECK (enforcement_mode IN ('DRY_RUN', 'LOG', 'WARN', 'BLOCK')),
    on_stream         TEXT NOT NULL CHECK (on_stream IN ('BLOCK', 'ANNOTATE')),
    status            TEXT NOT NULL CHECK (status IN ('ACTIVE', 'RETIRED')),
    hash              TEXT NOT NULL,
    source            TEXT NOT NULL CHECK (source IN ('MANUAL', 'SYSTEM', 'LEARNED')),
    source_proposal_id TEXT,
    source_incident_id TEXT,
    source_run_id     TEXT,
    parent_rule_id    TEXT,
    created_by        TEXT,
    retired_at        INTEGER,
    retired_by        TEXT,
    retirement_reason TEXT,
    superseded_by     TEXT,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, parent_rule_id) REFERENCES policy_rules (tenant_id, id),
    FOREIGN KEY (tenant_id, superseded_by) REFERENCES policy_rules (tenant_id, id),
    CHECK ((rule_type = 'CONDITION' AND condition IS NOT NULL) OR rule_type <> 'CONDITION'),
    CHECK ((scope IN ('PROJECT', 'AGENT')) = (scope_id IS NOT NULL)),
    CHECK ((status = 'RETIRED') = (retired_at IS NOT NULL))
) STRICT;
CREATE INDEX policy_rules_status ON policy_rules (tenant_id, status, created_at, id);
CREATE INDEX policy_rules_parent ON policy_rules (tenant_id, parent_rule_id);
CREATE INDEX policy_rules_superseded ON policy_rules (tenant_id, superseded_by);
-- A proposal makes one rule, however often it is approved.
CREATE UNIQUE INDEX policy_rules_proposal ON policy_rules (tenant_id, source_proposal_id)
    WHERE source_proposal_id IS NOT NULL;

-- Everything a rule has said, as a chain of hashes (model::integrity).
CREATE TABLE policy_rule_versions (
    tenant_id     TEXT NOT NULL,
    rule_id       TEXT NOT NULL,
    version       INTEGER NOT NULL CHECK (version >= 1),
    -- The canonical form that is hashed, and the same as JSON.
    definition    TEXT NOT NULL,
    snapshot      TEXT NOT NULL,
    hash          TEXT NOT NULL,
    change_reason TEXT,
    changed_by    TEXT,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, rule_id, version),
    FOREIGN KEY (tenant_id, rule_id) REFERENCES policy_rules (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
) STRICT;

-- Whether a rule still says what was decided. It is written before the rule, in the same transaction.
CREATE TABLE policy_rule_integrity (
    tenant_id    TEXT NOT NULL,
    rule_id      TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('VERIFIED', 'DEGRADED', 'FAILED')),
    -- In thousandths.
    score        INTEGER NOT NULL CHECK (score BETWEEN 0 AND 1000),
    hash_root    TEXT NOT NULL,
    first_broken INTEGER,
    computed_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, rule_id),
    FOREIGN KEY (tenant_id, rule_id) REFERENCES policy_rules (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE INDEX policy_rule_integrity_computed ON policy_rule_integrity (computed_at);

-- What rules did. One of a GLOBAL rule is the tenant's, the rule is the installation's.
CREATE TABLE policy_enforcements (
    tenant_id    TEXT NOT NULL,
    id           TEXT NOT NULL,
    rule_owner   TEXT NOT NULL,
    rule_id      TEXT NOT NULL,
    rule_version INTEGER NOT NULL,
    run_id       TEXT,
    decision_id  TEXT,
    action_taken TEXT NOT NULL CHECK (action_taken IN ('BLOCKED', 'WARNED', 'LOGGED', 'DRY_RUN')),
    stage        TEXT NOT NULL CHECK (stage IN ('INPUT', 'OUTPUT')),
    details      TEXT NOT NULL,
    triggered_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (rule_owner, rule_id) REFERENCES policy_rules (tenant_id, id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id)
) STRICT;
CREATE INDEX policy_enforcements_rule ON policy_enforcements (rule_owner, rule_id, tenant_id, triggered_at);
CREATE INDEX policy_enforcements_run ON policy_enforcements (tenant_id, run_id);

-- How often each rule was triggered by a tenant's requests on each day (UTC), so that nobody counts the history.
CREATE TABLE policy_rule_days (
    tenant_id  TEXT NOT NULL,
    rule_owner TEXT NOT NULL,
    rule_id    TEXT NOT NULL,
    day        INTEGER NOT NULL,
    triggers   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, rule_owner, rule_id, day),
    FOREIGN KEY (rule_owner, rule_id) REFERENCES policy_rules (tenant_id, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX policy_rule_days_rule ON policy_rule_days (rule_owner, rule_id);

-- The Incidents, as their events have made them: what is looked for, and the whole in its canonical form.
CREATE TABLE incidents (
    tenant_id       TEXT NOT NULL REFERENCES tenants (id),
    id              TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('PENDING', 'OPEN', 'MITIGATING', 'RESOLVED', 'CLOSED', 'CANCELLED',
                                                   'ARCHIVED')),
    -- Where the console shows it: a word that follows from the state.
    topic           TEXT NOT NULL CHECK (topic IN ('pending', 'open', 'over', 'archived')),
    severity        TEXT NOT NULL CHECK (severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')),
    category        TEXT NOT NULL CHECK (category IN ('EXECUTION_FAILURE', 'BUDGET_EXCEEDED', 'RATE_LIMIT',
                                                      'RESOURCE_EXHAUSTION', 'POLICY_VIOLATION', 'MANUAL',
                                                      'COST_ANOMALY')),
    cause_type      TEXT NOT NULL CHECK (cause_type IN ('LLM_RUN', 'SYSTEM', 'HUMAN')),
    service         TEXT NOT NULL,
    llm_run_id      TEXT,
    -- The id of the failure, and that of failures which differ in their input only.
    signature_id    TEXT,
    family_id       TEXT,
    -- What makes others the same Incident, as long as it is active.
    fingerprint     TEXT,
    -- What the failed runs cost.
    cost            INTEGER NOT NULL,
    -- When it was resolved, or found to be none.
    resolved_at     INTEGER,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    -- How many events it has, and the hash of the last one.
    version         INTEGER NOT NULL CHECK (version >= 1),
    head_hash       TEXT NOT NULL,
    body            TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, llm_run_id) REFERENCES runs (tenant_id, id)
) STRICT;
CREATE INDEX incidents_run ON incidents (tenant_id, llm_run_id);
CREATE INDEX incidents_signature ON incidents (tenant_id, signature_id);
CREATE INDEX incidents_newest ON incidents (tenant_id, created_at, id);
CREATE INDEX incidents_state ON incidents (tenant_id, state, created_at, id);
CREATE INDEX incidents_service ON incidents (tenant_id, service, created_at, id);
-- One Incident at a time is about the same.
CREATE UNIQUE INDEX incidents_same ON incidents (tenant_id, fingerprint)
    WHERE fingerprint IS NOT NULL AND (state = 'PENDING' OR state = 'OPEN' OR state = 'MITIGATING');

-- What happened to the Incidents: the truth of which they are made again.
CREATE TABLE incident_events (
    tenant_id         TEXT NOT NULL,
    incident_id       TEXT NOT NULL,
    seq               INTEGER NOT NULL CHECK (seq >= 1),
    event_id          TEXT NOT NULL,
    schema_version    INTEGER NOT NULL,
    event_type        TEXT NOT NULL CHECK (event_type IN ('INCIDENT_CREATED', 'STATE_CHANGED', 'ACKNOWLEDGED',
                                                          'COMMENT_ADDED', 'SIGNAL_ADDED', 'PROMOTION_DECIDED')),
    at                INTEGER NOT NULL,
    actor             TEXT NOT NULL,
    authority         TEXT NOT NULL,
    previous_state    TEXT CHECK (previous_state IN ('PENDING', 'OPEN', 'MITIGATING', 'RESOLVED', 'CLOSED', 'CANCELLED',
                                                     'ARCHIVED')),
    new_state         TEXT NOT NULL CHECK (new_state IN ('PENDING', 'OPEN', 'MITIGATING', 'RESOLVED', 'CLOSED',
                                                         'CANCELLED', 'ARCHIVED')),
    reason            TEXT,
    metadata          TEXT NOT NULL,
    request_id        TEXT NOT NULL,
    idempotency_key   TEXT,
    state_hash_before TEXT,
    state_hash_after  TEXT NOT NULL,
    prev_event_hash   TEXT NOT NULL,
    event_hash        TEXT NOT NULL,
    PRIMARY KEY (tenant_id, incident_id, seq),
    FOREIGN KEY (tenant_id, incident_id) REFERENCES incidents (tenant_id, id)
) STRICT;
CREATE UNIQUE INDEX incident_events_id ON incident_events (tenant_id, event_id);

CREATE TABLE policy_proposals (
    tenant_id              TEXT NOT NULL REFERENCES tenants (id),
    id                     TEXT NOT NULL,
    proposal_type          TEXT NOT NULL CHECK (proposal_type IN ('CREATE', 'MODIFY', 'RETIRE')),
    status                 TEXT NOT NULL CHECK (status IN ('PENDING', 'APPROVED', 'REJECTED', 'EXPIRED')),
    name                   TEXT NOT NULL,
    reason                 TEXT NOT NULL,
    target_rule_id         TEXT,
    target_version         INTEGER,
    -- What the rule is to say, as JSON.
    definition             TEXT,
    -- In thousandths.
    confidence             INTEGER NOT NULL CHECK (confidence BETWEEN 0 AND 1000),
    proposed_by            TEXT NOT NULL CHECK (proposed_by IN ('SYSTEM', 'HUMAN')),
    triggering_run_id      TEXT,
    triggering_incident_id TEXT,
    signature_id           TEXT,
    reviewed_by            TEXT,
    reviewed_at            INTEGER,
    review_notes           TEXT,
    created_at             INTEGER NOT NULL,
    expires_at             INTEGER NOT NULL,
    -- When it is over, as long as nobody has reviewed it.
    open_until             INTEGER,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, target_rule_id) REFERENCES policy_rules (tenant_id, id),
    FOREIGN KEY (tenant_id, triggering_incident_id) REFERENCES incidents (tenant_id, id)
) STRICT;
CREATE INDEX policy_proposals_status ON policy_proposals (tenant_id, status, id);
CREATE INDEX policy_proposals_target ON policy_proposals (tenant_id, target_rule_id);
CREATE INDEX policy_proposals_incident ON policy_proposals (tenant_id, triggering_incident_id);
-- The job that ends them starts without a tenant.
CREATE INDEX policy_proposals_due ON policy_proposals (open_until) WHERE open_until IS NOT NULL;
-- One failure has one proposal at a time.
CREATE UNIQUE INDEX policy_proposals_open ON policy_proposals (tenant_id, signature_id)
    WHERE open_until IS NOT NULL AND signature_id IS NOT NULL;

-- LLM Runs that a rule born of a failure kept from failing again. Where one is written, no Incident is opened.
CREATE TABLE prevention_records (
    tenant_id            TEXT NOT NULL,
    id                   TEXT NOT NULL,
    rule_id              TEXT NOT NULL,
    rule_version         INTEGER NOT NULL,
    signature_id         TEXT NOT NULL,
    -- None where the failure was less than high and has opened none.
    original_incident_id TEXT,
    blocked_run_id       TEXT NOT NULL,
    outcome              TEXT NOT NULL CHECK (outcome IN ('prevented', 'mitigated', 'failed')),
    -- In thousandths.
    confidence           INTEGER NOT NULL CHECK (confidence BETWEEN 600 AND 1000),
    estimated_saving     INTEGER NOT NULL,
    created_at           INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, rule_id) REFERENCES policy_rules (tenant_id, id),
    FOREIGN KEY (tenant_id, original_incident_id) REFERENCES incidents (tenant_id, id),
    FOREIGN KEY (tenant_id, blocked_run_id) REFERENCES runs (tenant_id, id)
) STRICT;
CREATE INDEX prevention_records_rule ON prevention_records (tenant_id, rule_id, created_at);
CREATE INDEX prevention_records_incident ON prevention_records (tenant_id, original_incident_id);

-- What people said about preventions: that one was none.
CREATE TABLE prevention_feedback (
    tenant_id     TEXT NOT NULL,
    prevention_id TEXT NOT NULL,
    false_positive INTEGER NOT NULL CHECK (false_positive IN (0, 1)),
    note          TEXT,
    said_by       TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, prevention_id),
    FOREIGN KEY (tenant_id, prevention_id) REFERENCES prevention_records (tenant_id, id)
) STRICT;

CREATE TRIGGER policy_rule_versions_no_update BEFORE UPDATE ON policy_rule_versions
BEGIN
    SELECT RAISE(ABORT, 'policy_rule_versions is append-only: updates are forbidden');
END;
CREATE TRIGGER policy_rule_versions_no_delete BEFORE DELETE ON policy_rule_versions
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'policy_rule_versions is append-only: only the retention function may delete');
END;

CREATE TRIGGER policy_enforcements_no_update BEFORE UPDATE ON policy_enforcements
BEGIN
    SELECT RAISE(ABORT, 'policy_enforcements is append-only: updates are forbidden');
END;
CREATE TRIGGER policy_enforcements_no_delete BEFORE DELETE ON policy_enforcements
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'policy_enforcements is append-only: only the retention function may delete');
END;

CREATE TRIGGER incident_events_no_update BEFORE UPDATE ON incident_events
BEGIN
    SELECT RAISE(ABORT, 'incident_events is append-only: updates are forbidden');
END;
CREATE TRIGGER incident_events_no_delete BEFORE DELETE ON incident_events
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'incident_events is append-only: only the retention function may delete');
END;

CREATE TRIGGER prevention_records_no_update BEFORE UPDATE ON prevention_records
BEGIN
    SELECT RAISE(ABORT, 'prevention_records is append-only: updates are forbidden');
END;
CREATE TRIGGER prevention_records_no_delete BEFORE DELETE ON prevention_records
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'prevention_records is append-only: only the retention function may delete');
END;

-- An ACTIVE rule has its integrity row. SQLite has no deferred triggers: the row is written first.
CREATE TRIGGER policy_rules_integrity_insert BEFORE INSERT ON policy_rules
WHEN NEW.status = 'ACTIVE' AND NOT EXISTS (
    SELECT 1 FROM policy_rule_integrity WHERE tenant_id = NEW.tenant_id AND rule_id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'an ACTIVE rule needs its row in policy_rule_integrity');
END;
CREATE TRIGGER policy_rules_integrity_update BEFORE UPDATE ON policy_rules
WHEN NEW.status = 'ACTIVE' AND NOT EXISTS (
    SELECT 1 FROM policy_rule_integrity WHERE tenant_id = NEW.tenant_id AND rule_id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'an ACTIVE rule needs its row in policy_rule_integrity');
END;
CREATE TRIGGER policy_rule_integrity_delete BEFORE DELETE ON policy_rule_integrity
WHEN EXISTS (SELECT 1 FROM policy_rules WHERE tenant_id = OLD.tenant_id AND id = OLD.rule_id AND status = 'ACTIVE')
BEGIN
    SELECT RAISE(ABORT, 'an ACTIVE rule needs its row in policy_rule_integrity');
END;
CREATE TRIGGER policy_rule_integrity_update BEFORE UPDATE ON policy_rule_integrity
WHEN NEW.tenant_id <> OLD.tenant_id OR NEW.rule_id <> OLD.rule_id
BEGIN
    SELECT RAISE(ABORT, 'the row of a rule in policy_rule_integrity stays its own');
END;

-- Grows with every change of the tenant's Policy Rules, so that a cached copy knows when it is old.
ALTER TABLE tenants ADD COLUMN rules_version INTEGER NOT NULL DEFAULT 0;
