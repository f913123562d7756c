-- Whether the product opens Incidents by itself: for a tenant, or (in the row of the platform) for all of them. Where there
-- is no row nobody has ever switched it off.

CREATE TABLE automation_switches (
    tenant_id  TEXT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    paused     INTEGER NOT NULL CHECK (paused IN (0, 1)),
    reason     TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
