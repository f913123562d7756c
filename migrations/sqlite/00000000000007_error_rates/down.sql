DROP INDEX limits_measured;
ALTER TABLE limits DROP COLUMN overrun_since;
ALTER TABLE limits DROP COLUMN overrun_runs;
ALTER TABLE limits DROP COLUMN overrun_value;
