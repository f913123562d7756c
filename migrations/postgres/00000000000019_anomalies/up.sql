-- What was spent that is not usual, or not allowed.

-- What a day (UTC, as days since 1970-01-01) cost: the tenant, and the end users and product features that cost most. It is
-- added up from the cost records when the day is looked at, and once more when it is over.
CREATE TABLE cost_days (
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    day          BIGINT NOT NULL,
    entity_type  TEXT NOT NULL CHECK (entity_type IN ('TENANT', 'USER', 'FEATURE', 'LIMIT')),
    -- Which user or feature; empty of the tenant itself.
    entity_id    TEXT NOT NULL,
    cost         BIGINT NOT NULL,
    requests     BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    -- Up to when cost records were added up; of the tenant this says whether the day is done.
    summed_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, entity_type, day, entity_id)
);

-- An anomaly of one day. Found again on that day it is the same.
CREATE TABLE cost_anomalies (
    tenant_id     TEXT NOT NULL REFERENCES tenants (id),
    id            TEXT NOT NULL,
    day           BIGINT NOT NULL,
    anomaly_type  TEXT NOT NULL CHECK (anomaly_type IN ('ABSOLUTE_SPIKE', 'SUSTAINED_DRIFT', 'BUDGET_WARNING',
                                                        'BUDGET_EXCEEDED')),
    severity      TEXT NOT NULL CHECK (severity IN ('HIGH', 'MEDIUM', 'LOW')),
    entity_type   TEXT NOT NULL CHECK (entity_type IN ('TENANT', 'USER', 'FEATURE', 'LIMIT')),
    entity_id     TEXT NOT NULL,
    -- In nano-USD.
    current_value BIGINT NOT NULL,
    expected      BIGINT NOT NULL,
    deviation_pct BIGINT NOT NULL,
    threshold_pct BIGINT NOT NULL,
    days          BIGINT NOT NULL,
    derived_cause TEXT CHECK (derived_cause IN ('RETRY_LOOP', 'PROMPT_GROWTH', 'FEATURE_SURGE', 'TRAFFIC_GROWTH')),
    limit_id      TEXT,
    incident_id   TEXT,
    detected_at   BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, limit_id) REFERENCES limits (tenant_id, id),
    FOREIGN KEY (tenant_id, incident_id) REFERENCES incidents (tenant_id, id)
);
CREATE UNIQUE INDEX cost_anomalies_same ON cost_anomalies (tenant_id, day, anomaly_type, entity_type, entity_id);
CREATE INDEX cost_anomalies_limit ON cost_anomalies (tenant_id, limit_id);
CREATE INDEX cost_anomalies_incident ON cost_anomalies (tenant_id, incident_id);
