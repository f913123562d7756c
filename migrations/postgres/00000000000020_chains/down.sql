DROP TRIGGER incident_events_no_delete ON incident_events;
CREATE TRIGGER incident_events_no_delete BEFORE DELETE ON incident_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER audit_ledger_no_delete ON audit_ledger;
CREATE TRIGGER audit_ledger_no_delete BEFORE DELETE ON audit_ledger FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER limit_versions_no_delete ON limit_versions;
CREATE TRIGGER limit_versions_no_delete BEFORE DELETE ON limit_versions FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP TRIGGER policy_rule_versions_no_delete ON policy_rule_versions;
CREATE TRIGGER policy_rule_versions_no_delete BEFORE DELETE ON policy_rule_versions FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP FUNCTION refuse_every_change();
