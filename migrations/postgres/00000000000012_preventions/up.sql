-- What a rule has prevented, and what an Incident has led to, newest first.

CREATE INDEX prevention_records_rule_list ON prevention_records (tenant_id, rule_id, id);
DROP INDEX prevention_records_incident;
CREATE INDEX prevention_records_incident ON prevention_records (tenant_id, original_incident_id, id);
