-- The data key of personal columns, wrapped by the master key. Destroying it makes them unreadable for good.
CREATE TABLE vaultry_personal_keys (
  id           TEXT NOT NULL PRIMARY KEY,
  wrapped_key  TEXT NOT NULL,
  created_at   TEXT NOT NULL CHECK (length(created_at) = 24),
  destroyed_at TEXT CHECK (length(destroyed_at) = 24)
) STRICT;
