DROP INDEX limit_breaches_unexplained;
ALTER TABLE limit_breaches DROP COLUMN unexplained_since;
DROP INDEX incidents_fingerprint;
DROP TABLE incident_breaches;
DROP TABLE promotion_decisions;
DROP TABLE candidates;
DROP TABLE detections;
DROP TABLE signals;
DROP TABLE incident_runs;
