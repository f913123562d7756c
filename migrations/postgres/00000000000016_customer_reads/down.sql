DROP INDEX limit_breaches_run;
DROP INDEX domain_events_correlation;
CREATE INDEX domain_events_correlation ON domain_events (tenant_id, correlation_id);
ALTER TABLE incidents DROP COLUMN resolution_method;
ALTER TABLE incidents DROP COLUMN lifecycle;
DROP INDEX runs_parent;
ALTER TABLE runs DROP COLUMN parent_run_id;
