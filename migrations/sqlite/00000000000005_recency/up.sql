-- What the tables of the console show first, without adding up the history.

-- When each limit was last breached by a tenant's requests.
CREATE TABLE limit_recent (
    tenant_id   TEXT NOT NULL,
    limit_owner TEXT NOT NULL,
    limit_id    TEXT NOT NULL,
    last_at     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, limit_owner, limit_id),
    FOREIGN KEY (limit_owner, limit_id) REFERENCES limits (tenant_id, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX limit_recent_limit ON limit_recent (limit_owner, limit_id);
CREATE INDEX limit_recent_last ON limit_recent (tenant_id, limit_owner, last_at);
INSERT INTO limit_recent (tenant_id, limit_owner, limit_id, last_at)
    SELECT tenant_id, limit_owner, limit_id, MAX(last_at) FROM limit_breach_days
    GROUP BY tenant_id, limit_owner, limit_id;
-- It does all that limits_status did.
DROP INDEX limits_status;
CREATE INDEX limits_shown ON limits (tenant_id, status, category, created_at, id);

-- When each rule was last triggered by a tenant's requests.
CREATE TABLE policy_rule_recent (
    tenant_id  TEXT NOT NULL,
    rule_owner TEXT NOT NULL,
    rule_id    TEXT NOT NULL,
    last_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, rule_owner, rule_id),
    FOREIGN KEY (rule_owner, rule_id) REFERENCES policy_rules (tenant_id, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX policy_rule_recent_rule ON policy_rule_recent (rule_owner, rule_id);
CREATE INDEX policy_rule_recent_last ON policy_rule_recent (tenant_id, rule_owner, last_at);
INSERT INTO policy_rule_recent (tenant_id, rule_owner, rule_id, last_at)
    SELECT tenant_id, rule_owner, rule_id, MAX(last_at) FROM policy_rule_days
    GROUP BY tenant_id, rule_owner, rule_id;

-- The topics of the console, newest first.
CREATE INDEX incidents_topic ON incidents (tenant_id, topic, created_at, id);
