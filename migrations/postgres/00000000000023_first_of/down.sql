ALTER TABLE api_keys DROP COLUMN root_id;
ALTER TABLE limit_recent DROP COLUMN audited_at;
