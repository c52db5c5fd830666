-- Answers already given, by the key the caller chose; written in the same commit as the effect.
CREATE TABLE vaultry_idempotency (
  actor      TEXT NOT NULL,
  key        TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  digest     TEXT NOT NULL CHECK (length(digest) = 64),
  answer     TEXT NOT NULL,
  created_at TEXT NOT NULL CHECK (length(created_at) = 24),
  PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX vaultry_idempotency_created_at ON vaultry_idempotency (created_at);
