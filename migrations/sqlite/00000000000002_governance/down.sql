DROP TRIGGER limits_integrity_insert;
DROP TRIGGER limits_integrity_update;
DROP TABLE limit_breach_days;
DROP TABLE domain_events;
DROP TABLE audit_ledger;
DROP TABLE limit_integrity;
DROP TABLE limit_versions;
DROP TABLE limit_overrides;
