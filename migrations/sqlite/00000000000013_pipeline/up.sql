-- How something that was noticed became an Incident, and which LLM Runs and breaches that is about.

-- Written with the event that says so, and never changed: the first run opened the Incident, the others failed alike while
-- it was going on.
CREATE TABLE incident_runs (
    tenant_id    TEXT    NOT NULL,
    incident_id  TEXT    NOT NULL,
    run_id       TEXT    NOT NULL,
    -- The id of its failure, and that of failures which differ in their input only.
    signature_id TEXT,
    family_id    TEXT,
    -- What it cost.
    cost         INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, incident_id, run_id),
    FOREIGN KEY (tenant_id, incident_id) REFERENCES incidents (tenant_id, id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id)
) STRICT;
CREATE INDEX incident_runs_run ON incident_runs (tenant_id, run_id);
CREATE INDEX incident_runs_signature ON incident_runs (tenant_id, signature_id, created_at);
CREATE INDEX incident_runs_family ON incident_runs (tenant_id, family_id, created_at);

-- What was noticed, what rules found in it, what was brought together with its evidence, and what the gate said: each
-- with an id that follows from what it is, and never changed.
CREATE TABLE signals (
    tenant_id   TEXT    NOT NULL REFERENCES tenants (id),
    id          TEXT    NOT NULL,
    source      TEXT    NOT NULL CHECK (source IN ('CLOUDWATCH_ALARM', 'CLOUDWATCH_METRIC', 'CLOUDWATCH_LOGS', 'CUSTOM_API',
                                                   'EVENTBRIDGE', 'LLM_RUN', 'LIMIT', 'INTEGRITY', 'MANUAL')),
    signal_type TEXT    NOT NULL CHECK (signal_type IN ('ALARM_STATE_CHANGE', 'METRIC_BREACH', 'LOG_PATTERN_MATCH',
                                                        'CUSTOM_EVENT', 'INFRASTRUCTURE_EVENT', 'RUN_FAILED',
                                                        'BUDGET_BREACHED', 'THRESHOLD_VIOLATED', 'INTEGRITY_VIOLATED',
                                                        'MANUAL_REPORT')),
    service     TEXT    NOT NULL,
    severity    TEXT    NOT NULL CHECK (severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')),
    observed_at INTEGER NOT NULL,
    ingested_at INTEGER NOT NULL,
    -- The hash of what was sent, and the whole.
    checksum    TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;
CREATE INDEX signals_observed ON signals (tenant_id, observed_at, id);

CREATE TABLE detections (
    tenant_id   TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    signal_id   TEXT    NOT NULL,
    rule_id     TEXT    NOT NULL,
    source      TEXT    NOT NULL CHECK (source IN ('CLOUDWATCH_ALARM', 'CLOUDWATCH_METRIC', 'CLOUDWATCH_LOGS', 'CUSTOM_API',
                                                   'EVENTBRIDGE', 'LLM_RUN', 'LIMIT', 'INTEGRITY', 'MANUAL')),
    signal_type TEXT    NOT NULL CHECK (signal_type IN ('ALARM_STATE_CHANGE', 'METRIC_BREACH', 'LOG_PATTERN_MATCH',
                                                        'CUSTOM_EVENT', 'INFRASTRUCTURE_EVENT', 'RUN_FAILED',
                                                        'BUDGET_BREACHED', 'THRESHOLD_VIOLATED', 'INTEGRITY_VIOLATED',
                                                        'MANUAL_REPORT')),
    service     TEXT    NOT NULL,
    -- As bad as the rule says.
    severity    TEXT    NOT NULL CHECK (severity IN ('CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'INFO')),
    dedupe_key  TEXT    NOT NULL,
    -- When its signal was observed.
    observed_at INTEGER NOT NULL,
    detected_at INTEGER NOT NULL,
    body        TEXT    NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, signal_id) REFERENCES signals (tenant_id, id)
) STRICT;
CREATE INDEX detections_signal ON detections (tenant_id, signal_id);
CREATE INDEX detections_observed ON detections (tenant_id, observed_at, id);
CREATE INDEX detections_key ON detections (tenant_id, dedupe_key, observed_at, id);

CREATE TABLE candidates (
    tenant_id   TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    -- The detection that stands for all of them.
    detection_id TEXT   NOT NULL,
    evidence_id TEXT    NOT NULL,
    rule_id     TEXT    NOT NULL,
    service     TEXT    NOT NULL,
    severity    TEXT    NOT NULL CHECK (severity IN ('SEV1', 'SEV2', 'SEV3', 'SEV4')),
    created_at  INTEGER NOT NULL,
    -- The candidate, its evidence, and where that came from.
    body        TEXT    NOT NULL,
    evidence    TEXT    NOT NULL,
    graph       TEXT    NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, detection_id) REFERENCES detections (tenant_id, id)
) STRICT;
CREATE INDEX candidates_detection ON candidates (tenant_id, detection_id);

CREATE TABLE promotion_decisions (
    tenant_id      TEXT    NOT NULL,
    id             TEXT    NOT NULL,
    candidate_id   TEXT    NOT NULL,
    decision       TEXT    NOT NULL CHECK (decision IN ('PROMOTE', 'DEFER', 'REJECT')),
    -- Why not, if it is REJECT.
    rejection_code TEXT CHECK (rejection_code IN ('EVIDENCE_NOT_FOUND', 'CONFIDENCE_TOO_LOW', 'INSUFFICIENT_DETECTIONS',
                                                  'ACTIVE_INCIDENT_EXISTS', 'SERVICE_NOT_ALLOWED', 'GATE_INTERNAL_ERROR',
                                                  'DUPLICATE_CANDIDATE', 'STALE_CANDIDATE', 'SEVERITY_NOT_ALLOWED',
                                                  'BLAST_RADIUS_NOT_ALLOWED', 'AUTHORITY_NOT_ALLOWED',
                                                  'JUSTIFICATION_REQUIRED')),
    policy_id      TEXT    NOT NULL,
    -- The Incident that it becomes, or that there is.
    incident_id    TEXT,
    decided_at     INTEGER NOT NULL,
    body           TEXT    NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, candidate_id) REFERENCES candidates (tenant_id, id)
) STRICT;
CREATE INDEX promotion_decisions_candidate ON promotion_decisions (tenant_id, candidate_id, decided_at);
CREATE INDEX promotion_decisions_decided ON promotion_decisions (tenant_id, decided_at, id);
CREATE INDEX promotion_decisions_incident ON promotion_decisions (tenant_id, incident_id);

-- Which breaches of Limits an Incident is about, and the LLM Run that hit the Limit.
CREATE TABLE incident_breaches (
    tenant_id   TEXT    NOT NULL,
    incident_id TEXT    NOT NULL,
    breach_id   TEXT    NOT NULL,
    run_id      TEXT,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, breach_id),
    FOREIGN KEY (tenant_id, incident_id) REFERENCES incidents (tenant_id, id),
    FOREIGN KEY (tenant_id, breach_id) REFERENCES limit_breaches (tenant_id, id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id)
) STRICT;
CREATE INDEX incident_breaches_incident ON incident_breaches (tenant_id, incident_id, breach_id);
CREATE INDEX incident_breaches_run ON incident_breaches (tenant_id, run_id);
-- The latest Incident about the same, whatever has become of it.
CREATE INDEX incidents_fingerprint ON incidents (tenant_id, fingerprint, created_at, id);

-- When a Limit was hit, until it has been looked at whether an Incident follows.
ALTER TABLE limit_breaches ADD COLUMN unexplained_since INTEGER;
-- The job starts without a tenant.
CREATE INDEX limit_breaches_unexplained ON limit_breaches (unexplained_since, id) WHERE unexplained_since IS NOT NULL;

CREATE TRIGGER incident_runs_no_update BEFORE UPDATE ON incident_runs
BEGIN
    SELECT RAISE(ABORT, 'incident_runs is append-only: updates are forbidden');
END;
CREATE TRIGGER incident_runs_no_delete BEFORE DELETE ON incident_runs
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'incident_runs is append-only: only the retention function may delete');
END;

CREATE TRIGGER signals_no_update BEFORE UPDATE ON signals
BEGIN
    SELECT RAISE(ABORT, 'signals is append-only: updates are forbidden');
END;
CREATE TRIGGER signals_no_delete BEFORE DELETE ON signals
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'signals is append-only: only the retention function may delete');
END;

CREATE TRIGGER detections_no_update BEFORE UPDATE ON detections
BEGIN
    SELECT RAISE(ABORT, 'detections is append-only: updates are forbidden');
END;
CREATE TRIGGER detections_no_delete BEFORE DELETE ON detections
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'detections is append-only: only the retention function may delete');
END;

CREATE TRIGGER candidates_no_update BEFORE UPDATE ON candidates
BEGIN
    SELECT RAISE(ABORT, 'candidates is append-only: updates are forbidden');
END;
CREATE TRIGGER candidates_no_delete BEFORE DELETE ON candidates
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'candidates is append-only: only the retention function may delete');
END;

CREATE TRIGGER promotion_decisions_no_update BEFORE UPDATE ON promotion_decisions
BEGIN
    SELECT RAISE(ABORT, 'promotion_decisions is append-only: updates are forbidden');
END;
CREATE TRIGGER promotion_decisions_no_delete BEFORE DELETE ON promotion_decisions
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'promotion_decisions is append-only: only the retention function may delete');
END;

CREATE TRIGGER incident_breaches_no_update BEFORE UPDATE ON incident_breaches
BEGIN
    SELECT RAISE(ABORT, 'incident_breaches is append-only: updates are forbidden');
END;
CREATE TRIGGER incident_breaches_no_delete BEFORE DELETE ON incident_breaches
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'incident_breaches is append-only: only the retention function may delete');
END;
