-- What is linked by hashes stays: no retention deletes it, and no INSERT OR REPLACE, for which SQLite asks no trigger of a
-- deletion, puts something else in its place.

DROP TRIGGER incident_events_no_delete;
CREATE TRIGGER incident_events_no_delete BEFORE DELETE ON incident_events
BEGIN
    SELECT RAISE(ABORT, 'incident_events is append-only: nothing is deleted');
END;
CREATE TRIGGER incident_events_no_replace BEFORE INSERT ON incident_events
WHEN EXISTS (SELECT 1 FROM incident_events
             WHERE tenant_id = NEW.tenant_id AND incident_id = NEW.incident_id AND seq = NEW.seq)
  OR EXISTS (SELECT 1 FROM incident_events WHERE tenant_id = NEW.tenant_id AND event_id = NEW.event_id)
BEGIN
    SELECT RAISE(ABORT, 'incident_events is append-only: nothing is replaced');
END;

DROP TRIGGER audit_ledger_no_delete;
CREATE TRIGGER audit_ledger_no_delete BEFORE DELETE ON audit_ledger
BEGIN
    SELECT RAISE(ABORT, 'audit_ledger is append-only: nothing is deleted');
END;
CREATE TRIGGER audit_ledger_no_replace BEFORE INSERT ON audit_ledger
WHEN EXISTS (SELECT 1 FROM audit_ledger WHERE tenant_id = NEW.tenant_id AND seq = NEW.seq)
  OR EXISTS (SELECT 1 FROM audit_ledger WHERE tenant_id = NEW.tenant_id AND id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'audit_ledger is append-only: nothing is replaced');
END;

DROP TRIGGER limit_versions_no_delete;
CREATE TRIGGER limit_versions_no_delete BEFORE DELETE ON limit_versions
BEGIN
    SELECT RAISE(ABORT, 'limit_versions is append-only: nothing is deleted');
END;
CREATE TRIGGER limit_versions_no_replace BEFORE INSERT ON limit_versions
WHEN EXISTS (SELECT 1 FROM limit_versions
             WHERE tenant_id = NEW.tenant_id AND limit_id = NEW.limit_id AND version = NEW.version)
BEGIN
    SELECT RAISE(ABORT, 'limit_versions is append-only: nothing is replaced');
END;

DROP TRIGGER policy_rule_versions_no_delete;
CREATE TRIGGER policy_rule_versions_no_delete BEFORE DELETE ON policy_rule_versions
BEGIN
    SELECT RAISE(ABORT, 'policy_rule_versions is append-only: nothing is deleted');
END;
CREATE TRIGGER policy_rule_versions_no_replace BEFORE INSERT ON policy_rule_versions
WHEN EXISTS (SELECT 1 FROM policy_rule_versions
             WHERE tenant_id = NEW.tenant_id AND rule_id = NEW.rule_id AND version = NEW.version)
BEGIN
    SELECT RAISE(ABORT, 'policy_rule_versions is append-only: nothing is replaced');
END;
