-- Which LLM Runs an Incident is about, and which Incidents an LLM Run has led to.

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
    FOREIGN KEY (tenant_id, incident_id) REFERENCES incidents (tenant_id, id)
) STRICT;
CREATE INDEX incident_runs_run ON incident_runs (tenant_id, run_id);
CREATE INDEX incident_runs_signature ON incident_runs (tenant_id, signature_id, created_at);
CREATE INDEX incident_runs_family ON incident_runs (tenant_id, family_id, created_at);

CREATE TRIGGER incident_runs_no_update BEFORE UPDATE ON incident_runs
BEGIN
    SELECT RAISE(ABORT, 'incident_runs is append-only: updates are forbidden');
END;
CREATE TRIGGER incident_runs_no_delete BEFORE DELETE ON incident_runs
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'incident_runs is append-only: only the retention function may delete');
END;
