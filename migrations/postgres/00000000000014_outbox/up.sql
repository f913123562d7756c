-- What is told to the outside of what has happened to Incidents: a queue to fan out from, never read as truth.

CREATE TABLE outbox (
    tenant_id   TEXT NOT NULL REFERENCES tenants (id),
    incident_id TEXT NOT NULL,
    seq         BIGINT NOT NULL CHECK (seq >= 1),
    -- The same for every attempt and every receiver.
    message_id  TEXT NOT NULL,
    topic       TEXT NOT NULL,
    -- What is sent, byte for byte.
    body        TEXT NOT NULL,
    at          BIGINT NOT NULL,
    -- Its place among all of the tenant, from 1, without gaps; given after the commit, because transactions do not commit
    -- in the order in which they write.
    place       BIGINT CHECK (place >= 1),
    placed_at   BIGINT,
    PRIMARY KEY (tenant_id, incident_id, seq),
    UNIQUE (tenant_id, place)
);
-- The jobs that place and sweep start without a tenant.
CREATE INDEX outbox_unplaced ON outbox (tenant_id, incident_id, seq) WHERE place IS NULL;
CREATE INDEX outbox_age ON outbox (placed_at);

-- Up to which place messages were given one, and up to which they were swept.
CREATE TABLE outbox_heads (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    placed    BIGINT NOT NULL,
    swept     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id)
);

CREATE TABLE webhooks (
    tenant_id       TEXT NOT NULL REFERENCES tenants (id),
    id              TEXT NOT NULL,
    url             TEXT NOT NULL,
    description     TEXT,
    -- A JSON list of words.
    topics          TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('ENABLED', 'DISABLED', 'PAUSED', 'DELETED')),
    status_reason   TEXT,
    -- Sealed under the master key for this row (infra::secrets::Sealed).
    secret          TEXT NOT NULL,
    -- The one before, as long as it signs as well.
    previous_secret TEXT,
    previous_until  BIGINT,
    -- Attempts that failed since the last one that did not.
    failures        BIGINT NOT NULL CHECK (failures >= 0),
    failing_since   BIGINT,
    rests_until     BIGINT NOT NULL,
    -- A process sends to it until then.
    leased_until    BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE webhook_deliveries (
    tenant_id   TEXT NOT NULL,
    id          TEXT NOT NULL,
    webhook_id  TEXT NOT NULL,
    -- Of the message in the outbox.
    place       BIGINT NOT NULL,
    topic       TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('PENDING', 'DELIVERED', 'DEAD')),
    attempts    BIGINT NOT NULL CHECK (attempts >= 0),
    -- How far it has come in the schedule of attempts, which begins anew when somebody asks for it.
    step        BIGINT NOT NULL CHECK (step >= 0),
    -- Its place as long as it was never tried.
    unsent      BIGINT,
    -- When it is tried next, as long as it is PENDING.
    due_at      BIGINT,
    last_at     BIGINT,
    last_status BIGINT,
    last_error  TEXT,
    created_at  BIGINT NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, webhook_id, place),
    FOREIGN KEY (tenant_id, webhook_id) REFERENCES webhooks (tenant_id, id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (tenant_id, webhook_id, due_at);
CREATE INDEX webhook_deliveries_unsent ON webhook_deliveries (tenant_id, webhook_id, unsent);
-- Lists, newest first, and the sweep.
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (tenant_id, webhook_id, id);
CREATE INDEX webhook_deliveries_place ON webhook_deliveries (tenant_id, place);
