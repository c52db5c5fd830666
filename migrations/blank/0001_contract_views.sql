-- A vault for a schema of one's own: nobody signs in to it until its owner says who they are, by other views.
CREATE VIEW principals (id, email, name, active) AS SELECT NULL, NULL, NULL, NULL WHERE 0;

CREATE VIEW grants (principal_id, permission, scope) AS SELECT NULL, NULL, NULL WHERE 0;
