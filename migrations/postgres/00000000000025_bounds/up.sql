-- Lists that are entered where they begin, however many others there are.

CREATE INDEX incidents_severity ON incidents (tenant_id, severity, created_at, id);

-- The newest Incidents of an LLM Run.
DROP INDEX incident_runs_run;
CREATE INDEX incident_runs_run ON incident_runs (tenant_id, run_id, created_at, incident_id);
DROP INDEX incident_breaches_run;
CREATE INDEX incident_breaches_run ON incident_breaches (tenant_id, run_id, created_at, incident_id);
