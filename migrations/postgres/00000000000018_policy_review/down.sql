DROP TABLE prevention_days;
ALTER TABLE policy_proposals DROP COLUMN created_by;
ALTER TABLE tenants DROP COLUMN two_person_review;
