-- Who signs requests to the incident control plane, with which keys, and which signatures have been used.

CREATE TABLE principals (
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    id         TEXT NOT NULL,
    -- Unique for ever: records name a principal by it.
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

CREATE TABLE principal_roles (
    tenant_id    TEXT NOT NULL,
    principal_id TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('READER', 'CREATOR', 'OPERATOR', 'SRE', 'SERVICE', 'BREAK_GLASS')),
    PRIMARY KEY (tenant_id, principal_id, role),
    FOREIGN KEY (tenant_id, principal_id) REFERENCES principals (tenant_id, id)
);

CREATE TABLE principal_keys (
    tenant_id     TEXT NOT NULL,
    access_key_id TEXT NOT NULL,
    principal_id  TEXT NOT NULL,
    -- Sealed under the master key for this row (infra::secrets::Sealed).
    secret        TEXT NOT NULL,
    last4         TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    revoked_at    BIGINT,
    PRIMARY KEY (tenant_id, access_key_id),
    FOREIGN KEY (tenant_id, principal_id) REFERENCES principals (tenant_id, id)
);
CREATE INDEX principal_keys_principal ON principal_keys (tenant_id, principal_id, access_key_id);
-- The one look-up that starts without a tenant: who is this?
CREATE INDEX principal_keys_access_key ON principal_keys (access_key_id);

-- Signatures of requests that changed something, until they are too old to be taken again.
CREATE TABLE used_signatures (
    tenant_id     TEXT NOT NULL,
    access_key_id TEXT NOT NULL,
    signature     TEXT NOT NULL,
    expires_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, access_key_id, signature)
);
-- The job that deletes them starts without a tenant.
CREATE INDEX used_signatures_expiry ON used_signatures (expires_at);
