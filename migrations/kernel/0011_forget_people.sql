-- Forgetting one person: the keys of what the audit log tells about people, and who was forgotten.

-- secret opens the values in the audit log that are about the row; it goes when the person is forgotten.
CREATE TABLE vaultry_row_keys (
  table_name TEXT NOT NULL,
  row_key    TEXT NOT NULL,
  secret     TEXT NOT NULL CHECK (length(secret) = 43),
  PRIMARY KEY (table_name, row_key)
) STRICT, WITHOUT ROWID;

-- Ids and times only. Kept when the vault is set back, so that nobody comes back with an earlier state.
CREATE TABLE vaultry_forgotten (
  table_name   TEXT NOT NULL,
  row_key      TEXT NOT NULL,
  forgotten_at TEXT NOT NULL CHECK (length(forgotten_at) = 24),
  -- when the register outside the vault knew of it
  told_at      TEXT CHECK (length(told_at) = 24),
  -- when what was freed in the file had been overwritten
  wiped_at     TEXT CHECK (length(wiped_at) = 24),
  PRIMARY KEY (table_name, row_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX vaultry_forgotten_untold ON vaultry_forgotten (forgotten_at) WHERE told_at IS NULL;
CREATE INDEX vaultry_forgotten_unwiped ON vaultry_forgotten (forgotten_at) WHERE wiped_at IS NULL;
