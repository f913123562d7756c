DROP INDEX incidents_over;
DROP INDEX outbox_unplaced;
CREATE INDEX outbox_unplaced ON outbox (tenant_id, incident_id, seq) WHERE place IS NULL;
