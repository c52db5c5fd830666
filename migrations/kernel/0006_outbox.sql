-- Effects outside the vault (mail, webhooks), delivered after the commit that asked for them, at least once.
CREATE TABLE vaultry_outbox (
  id              TEXT NOT NULL PRIMARY KEY,
  kind            TEXT NOT NULL CHECK (kind <> ''),
  payload         TEXT NOT NULL CHECK (json_valid(payload)),
  created_at      TEXT NOT NULL CHECK (length(created_at) = 24),
  attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  next_attempt_at TEXT NOT NULL CHECK (length(next_attempt_at) = 24),
  delivered_at    TEXT CHECK (length(delivered_at) = 24),
  last_error      TEXT
) STRICT;

CREATE INDEX vaultry_outbox_due ON vaultry_outbox (next_attempt_at) WHERE delivered_at IS NULL;
