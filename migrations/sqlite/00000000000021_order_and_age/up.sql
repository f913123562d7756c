-- What jobs look for: messages that wait for their place, as they happened, and Incidents that were closed long ago.

DROP INDEX outbox_unplaced;
CREATE INDEX outbox_unplaced ON outbox (tenant_id, at, incident_id, seq) WHERE place IS NULL;
-- The job starts without a tenant.
CREATE INDEX incidents_over ON incidents (state, resolved_at, tenant_id, id);
