DELETE FROM installation WHERE name = 'input_key';
DROP INDEX runs_failures;
ALTER TABLE runs DROP COLUMN traits;
ALTER TABLE runs DROP COLUMN input_fingerprint;
ALTER TABLE runs DROP COLUMN tools;
