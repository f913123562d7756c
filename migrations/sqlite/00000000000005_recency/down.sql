DROP INDEX incidents_topic;
DROP TABLE policy_rule_recent;
DROP INDEX limits_shown;
CREATE INDEX limits_status ON limits (tenant_id, status, category);
DROP TABLE limit_recent;
