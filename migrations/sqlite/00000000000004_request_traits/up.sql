-- What a request looks like, as far as a failure may depend on it: the names of its tools as JSON, the keyed hash of its
-- input, and the hash of both with provider, model, agent and feature.
ALTER TABLE runs ADD COLUMN tools TEXT;
ALTER TABLE runs ADD COLUMN input_fingerprint TEXT;
ALTER TABLE runs ADD COLUMN traits TEXT;
-- The latest failure of a request like this one.
CREATE INDEX runs_failures ON runs (tenant_id, traits, started_at) WHERE status = 'failed' OR status = 'crashed';

-- input_key is what inputs are hashed with: whoever does not have it cannot tell what was asked by guessing.
-- arch:expect(ARCH-SQL-007): the key is made once and never again; until=2027-03-31
INSERT INTO installation (name, value) VALUES ('input_key', lower(hex(randomblob(32))));
