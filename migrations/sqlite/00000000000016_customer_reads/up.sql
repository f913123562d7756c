-- What customers look for: LLM Runs that tried again what another had failed at, and Incidents as the console shows them.

-- The LLM Run that this one is another attempt of, as the client says it: one that is not there links nothing.
ALTER TABLE runs ADD COLUMN parent_run_id TEXT;
CREATE INDEX runs_parent ON runs (tenant_id, parent_run_id, id) WHERE parent_run_id IS NOT NULL;

-- What the console calls its state: a word that follows from the Incident; none while nobody has approved it.
ALTER TABLE incidents ADD COLUMN lifecycle TEXT CHECK (lifecycle IN ('ACTIVE', 'ACKED', 'RESOLVED'));
ALTER TABLE incidents ADD COLUMN resolution_method TEXT CHECK (resolution_method IN ('auto', 'manual', 'rollback'));

DROP INDEX domain_events_correlation;
CREATE INDEX domain_events_correlation ON domain_events (tenant_id, correlation_id, id);
CREATE INDEX limit_breaches_run ON limit_breaches (tenant_id, run_id) WHERE run_id IS NOT NULL;
