DROP TRIGGER incident_events_no_replace;
DROP TRIGGER incident_events_no_delete;
CREATE TRIGGER incident_events_no_delete BEFORE DELETE ON incident_events
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'incident_events is append-only: only the retention function may delete');
END;
DROP TRIGGER audit_ledger_no_replace;
DROP TRIGGER audit_ledger_no_delete;
CREATE TRIGGER audit_ledger_no_delete BEFORE DELETE ON audit_ledger
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'audit_ledger is append-only: only the retention function may delete');
END;
DROP TRIGGER limit_versions_no_replace;
DROP TRIGGER limit_versions_no_delete;
CREATE TRIGGER limit_versions_no_delete BEFORE DELETE ON limit_versions
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'limit_versions is append-only: only the retention function may delete');
END;
DROP TRIGGER policy_rule_versions_no_replace;
DROP TRIGGER policy_rule_versions_no_delete;
CREATE TRIGGER policy_rule_versions_no_delete BEFORE DELETE ON policy_rule_versions
WHEN (SELECT open FROM retention_gate WHERE id = 1) = 0
BEGIN
    SELECT RAISE(ABORT, 'policy_rule_versions is append-only: only the retention function may delete');
END;
