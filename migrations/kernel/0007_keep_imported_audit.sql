-- Audit logs that came with an archive. Their chains cannot go on under this platform's key: each is kept as it was, and
-- the first row of the chain that follows names its digest.

-- One row for each archive the vault went through, the oldest first.
CREATE TABLE vaultry_audit_sections (
  section     INTEGER PRIMARY KEY CHECK (section > 0),
  -- the vault whose audit log it was
  vault_id    TEXT NOT NULL CHECK (vault_id <> ''),
  row_count   INTEGER NOT NULL CHECK (row_count >= 0),
  -- mac of its last row; NULL = it had none
  head        BLOB CHECK (length(head) = 32),
  -- SHA-256 of the rows as lines of JSON, as the archive has them
  digest      TEXT NOT NULL CHECK (length(digest) = 64),
  -- the archive's manifest, signed by the platform it came from: a compact JWS
  manifest    TEXT NOT NULL CHECK (manifest GLOB '*.*.*'),
  imported_at TEXT NOT NULL CHECK (length(imported_at) = 24)
) STRICT;

CREATE TABLE vaultry_audit_imported (
  section    INTEGER NOT NULL REFERENCES vaultry_audit_sections (section),
  seq        INTEGER NOT NULL CHECK (seq > 0),
  at         TEXT NOT NULL,
  actor      TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  request_id TEXT NOT NULL,
  verb       TEXT NOT NULL,
  operation  TEXT NOT NULL,
  table_name TEXT NOT NULL,
  row_key    TEXT NOT NULL,
  old_values TEXT,
  new_values TEXT,
  mac        BLOB NOT NULL CHECK (length(mac) = 32),
  PRIMARY KEY (section, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER vaultry_audit_sections_stay_update BEFORE UPDATE ON vaultry_audit_sections
BEGIN
  SELECT RAISE(ABORT, 'audit_append_only: audit rows are never changed');
END;

CREATE TRIGGER vaultry_audit_sections_stay_delete BEFORE DELETE ON vaultry_audit_sections
BEGIN
  SELECT RAISE(ABORT, 'audit_append_only: audit rows are never removed');
END;

CREATE TRIGGER vaultry_audit_imported_stay_update BEFORE UPDATE ON vaultry_audit_imported
BEGIN
  SELECT RAISE(ABORT, 'audit_append_only: audit rows are never changed');
END;

CREATE TRIGGER vaultry_audit_imported_stay_delete BEFORE DELETE ON vaultry_audit_imported
BEGIN
  SELECT RAISE(ABORT, 'audit_append_only: audit rows are never removed');
END;
