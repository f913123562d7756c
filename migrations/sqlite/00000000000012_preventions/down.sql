DROP INDEX prevention_records_incident;
CREATE INDEX prevention_records_incident ON prevention_records (tenant_id, original_incident_id);
DROP INDEX prevention_records_rule_list;
