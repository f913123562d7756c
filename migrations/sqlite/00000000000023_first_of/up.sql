-- When the audit ledger last had a breach of the limit: it has at most one in a day and window.
ALTER TABLE limit_recent ADD COLUMN audited_at INTEGER;

-- Which key of an operator a key comes of; none if it is such a key itself.
ALTER TABLE api_keys ADD COLUMN root_id TEXT;
