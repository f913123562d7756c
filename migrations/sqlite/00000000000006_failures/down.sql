DROP INDEX prevention_records_run;
DROP INDEX policy_proposals_signature;
DROP INDEX incidents_family;
DROP INDEX runs_unexplained;
ALTER TABLE runs DROP COLUMN unexplained_since;
