-- Whether a Policy Rule of the tenant takes two persons: one who proposes it and another one who approves.
ALTER TABLE tenants ADD COLUMN two_person_review BOOLEAN NOT NULL DEFAULT FALSE;
-- Who made a proposal; none for those of the installation, and for those that are older than this column.
ALTER TABLE policy_proposals ADD COLUMN created_by TEXT;

-- What became of the LLM Runs that a rule met on each day (UTC), so that nobody adds up the history.
CREATE TABLE prevention_days (
    tenant_id TEXT NOT NULL,
    rule_id   TEXT NOT NULL,
    day       BIGINT NOT NULL,
    outcome   TEXT NOT NULL CHECK (outcome IN ('prevented', 'mitigated', 'failed')),
    times     BIGINT NOT NULL,
    saving    BIGINT NOT NULL,
    last_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, rule_id, day, outcome),
    FOREIGN KEY (tenant_id, rule_id) REFERENCES policy_rules (tenant_id, id)
);
INSERT INTO prevention_days (tenant_id, rule_id, day, outcome, times, saving, last_at)
SELECT tenant_id, rule_id, created_at / 86400000000, outcome, COUNT(*), SUM(estimated_saving), MAX(created_at)
FROM prevention_records GROUP BY tenant_id, rule_id, created_at / 86400000000, outcome;
