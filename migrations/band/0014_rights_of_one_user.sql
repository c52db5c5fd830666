-- What one person may do is asked with every request: each part of the view begins at that one user.

DROP VIEW grants;
DROP VIEW held_permissions;

-- A permission by its own name, and `x.y.all` by that of every narrower scope of the same action.
CREATE VIEW permission_names (permission_id, name) AS
SELECT id, name FROM permissions
UNION ALL
SELECT p.id, substr(p.name, 1, length(p.name) - 3) || narrower.column1
  FROM permissions AS p
  JOIN (VALUES ('section'), ('assigned'), ('own'), ('public')) AS narrower
 WHERE p.scope = 'all';

-- By the roles that count now; a super administrator passes every check; somebody without a role has what the public has.
CREATE VIEW grants (principal_id, permission, scope) AS
SELECT u.id, p.name, ''
  FROM users AS u
  JOIN held_roles AS held ON held.user_id = u.id
  JOIN role_permissions AS rp ON rp.role_id = held.role_id
  JOIN permission_names AS p ON p.permission_id = rp.permission_id
 WHERE u.deleted_at IS NULL
UNION ALL
SELECT u.id, p.name, ''
  FROM users AS u
  JOIN held_roles AS held ON held.user_id = u.id AND held.type = 'SUPER_ADMIN'
  JOIN permission_names AS p
 WHERE u.deleted_at IS NULL
UNION ALL
SELECT u.id, p.name, ''
  FROM users AS u
  JOIN roles AS r ON r.type = 'PUBLIC'
  JOIN role_permissions AS rp ON rp.role_id = r.id
  JOIN permission_names AS p ON p.permission_id = rp.permission_id
 WHERE u.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM held_roles AS held WHERE held.user_id = u.id);
