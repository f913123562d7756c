DROP TABLE cost_anomalies;
DROP TABLE cost_days;
