DROP TABLE incident_runs;
