DROP INDEX incident_breaches_run;
CREATE INDEX incident_breaches_run ON incident_breaches (tenant_id, run_id, incident_id);
DROP INDEX incident_runs_run;
CREATE INDEX incident_runs_run ON incident_runs (tenant_id, run_id, incident_id);
DROP INDEX incidents_severity;
