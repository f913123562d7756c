-- Failures that nobody has looked at, and what is looked for when somebody does.

-- When an LLM Run failed, until it has been looked at.
ALTER TABLE runs ADD COLUMN unexplained_since INTEGER;
-- The job starts without a tenant.
CREATE INDEX runs_unexplained ON runs (unexplained_since, id) WHERE unexplained_since IS NOT NULL;

CREATE INDEX incidents_family ON incidents (tenant_id, family_id);
CREATE INDEX policy_proposals_signature ON policy_proposals (tenant_id, signature_id, id);
CREATE INDEX prevention_records_run ON prevention_records (tenant_id, blocked_run_id);
