-- What the engine knows about people: who can sign in, and what they may do. The band is one whole: its scope is ''.

CREATE VIEW principals (id, email, name, active) AS
SELECT id, email_hash, coalesce(name, 'user'), deleted_at IS NULL FROM users;

-- Roles that count now.
CREATE VIEW held_roles (user_id, role_id, type) AS
SELECT held.user_id, held.role_id, r.type
  FROM user_roles AS held JOIN roles AS r ON r.id = held.role_id
 WHERE held.expires_at IS NULL OR held.expires_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now');

-- Somebody without a role has what the public has. A super administrator passes every check.
CREATE VIEW held_permissions (user_id, permission) AS
SELECT held.user_id, p.name
  FROM held_roles AS held
  JOIN role_permissions AS rp ON rp.role_id = held.role_id
  JOIN permissions AS p ON p.id = rp.permission_id
UNION
SELECT held.user_id, p.name FROM held_roles AS held JOIN permissions AS p WHERE held.type = 'SUPER_ADMIN'
UNION
SELECT u.id, p.name
  FROM users AS u
  JOIN roles AS r ON r.type = 'PUBLIC'
  JOIN role_permissions AS rp ON rp.role_id = r.id
  JOIN permissions AS p ON p.id = rp.permission_id
 WHERE NOT EXISTS (SELECT 1 FROM held_roles AS held WHERE held.user_id = u.id);

-- `x.y.all` stands for every narrower scope of the same action.
CREATE VIEW grants (principal_id, permission, scope) AS
SELECT held.user_id, held.permission, ''
  FROM held_permissions AS held JOIN users AS u ON u.id = held.user_id AND u.deleted_at IS NULL
UNION
SELECT held.user_id, substr(held.permission, 1, length(held.permission) - 3) || narrower.column1, ''
  FROM held_permissions AS held
  JOIN users AS u ON u.id = held.user_id AND u.deleted_at IS NULL
  JOIN (VALUES ('section'), ('assigned'), ('own'), ('public')) AS narrower
 WHERE held.permission GLOB '*.*.all';
