-- What clients may do with a table of the owner's own schema, as JSON; a table that is not named here is closed.
CREATE TABLE vaultry_policies (
  table_name TEXT NOT NULL PRIMARY KEY CHECK (table_name <> ''),
  declared   TEXT NOT NULL CHECK (json_type(declared) = 'object')
) STRICT, WITHOUT ROWID;

-- Which permissions a token has that acts as a role, as a JSON list.
CREATE TABLE vaultry_roles (
  role        TEXT NOT NULL PRIMARY KEY CHECK (role <> ''),
  permissions TEXT NOT NULL CHECK (json_type(permissions) = 'array')
) STRICT, WITHOUT ROWID;

-- Which of the owner's own numbered files this vault has had, with the content hash each had when it ran.
CREATE TABLE vaultry_own_steps (
  number     INTEGER PRIMARY KEY CHECK (number > 0),
  name       TEXT NOT NULL,
  sha256     TEXT NOT NULL CHECK (length(sha256) = 64),
  applied_at TEXT NOT NULL CHECK (length(applied_at) = 24)
) STRICT;
