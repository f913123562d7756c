DROP TABLE used_signatures;
DROP TABLE principal_keys;
DROP TABLE principal_roles;
DROP TABLE principals;
