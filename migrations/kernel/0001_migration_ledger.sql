-- Which steps of which sets this vault has had, with the content hash each had when it ran.
CREATE TABLE vaultry_migrations (
  set_name   TEXT NOT NULL CHECK (set_name <> ''),
  number     INTEGER NOT NULL CHECK (number > 0),
  name       TEXT NOT NULL,
  sha256     TEXT NOT NULL CHECK (length(sha256) = 64),
  applied_at TEXT NOT NULL CHECK (length(applied_at) = 24),
  PRIMARY KEY (set_name, number)
) STRICT, WITHOUT ROWID;
