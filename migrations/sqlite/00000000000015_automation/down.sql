DROP TABLE automation_switches;
