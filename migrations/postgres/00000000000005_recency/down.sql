DROP INDEX incidents_resolved;
DROP INDEX incidents_open;
CREATE INDEX incidents_lifecycle ON incidents (tenant_id, lifecycle_state, created_at, id);
DROP TABLE policy_rule_recent;
DROP INDEX limits_shown;
CREATE INDEX limits_status ON limits (tenant_id, status, category);
DROP TABLE limit_recent;
