-- What is asked of Incidents while they come to be: steps along an index, however many there were before.

-- The newest of a service, topic by topic.
CREATE INDEX incidents_service_topic ON incidents (tenant_id, service, topic, created_at, id);

-- What a failure cost is added up from the index alone.
DROP INDEX incident_runs_signature;
CREATE INDEX incident_runs_signature ON incident_runs (tenant_id, signature_id, created_at, cost);

-- With what is asked for: SQLite takes an index that has all of it for the better one, also where that is a walk through all
-- that the tenant has.
DROP INDEX incident_runs_run;
CREATE INDEX incident_runs_run ON incident_runs (tenant_id, run_id, incident_id);
DROP INDEX incident_breaches_run;
CREATE INDEX incident_breaches_run ON incident_breaches (tenant_id, run_id, incident_id);

-- What belongs to a detection, by what rules bring it together by.
DROP INDEX detections_observed;
CREATE INDEX detections_service ON detections (tenant_id, service, source, observed_at, id);
CREATE INDEX detections_rule ON detections (tenant_id, rule_id, source, observed_at, id);
CREATE INDEX detections_type ON detections (tenant_id, signal_type, source, observed_at, id);
