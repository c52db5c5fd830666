-- One row for each change of each row, chained: mac = HMAC-SHA256(key, mac of the row before || canonical JSON).
CREATE TABLE vaultry_audit (
  seq        INTEGER PRIMARY KEY CHECK (seq > 0),
  at         TEXT NOT NULL CHECK (length(at) = 24),
  actor      TEXT NOT NULL,
  actor_kind TEXT NOT NULL CHECK (actor_kind IN ('person', 'token', 'operator', 'job', 'guest', 'system')),
  request_id TEXT NOT NULL,
  verb       TEXT NOT NULL,
  operation  TEXT NOT NULL CHECK (operation IN ('insert', 'update', 'delete', 'note')),
  table_name TEXT NOT NULL,
  row_key    TEXT NOT NULL,
  old_values TEXT,
  new_values TEXT,
  mac        BLOB NOT NULL CHECK (length(mac) = 32)
) STRICT;

CREATE TRIGGER vaultry_audit_is_append_only_update BEFORE UPDATE ON vaultry_audit
BEGIN
  SELECT RAISE(ABORT, 'audit_append_only: audit rows are never changed');
END;

CREATE TRIGGER vaultry_audit_is_append_only_delete BEFORE DELETE ON vaultry_audit
BEGIN
  SELECT RAISE(ABORT, 'audit_append_only: audit rows are never removed');
END;
