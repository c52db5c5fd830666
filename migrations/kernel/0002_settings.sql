-- Facts about this vault that are not the tenant's business data. `origin` is the id under which the vault was
-- first made: keys are derived from it, so that a fork can still open and verify what it inherited.
CREATE TABLE vaultry_settings (
  key        TEXT NOT NULL PRIMARY KEY CHECK (key <> ''),
  value      TEXT NOT NULL,
  updated_at TEXT NOT NULL CHECK (length(updated_at) = 24)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER vaultry_origin_is_never_changed BEFORE UPDATE ON vaultry_settings
WHEN OLD.key = 'origin'
BEGIN
  SELECT RAISE(ABORT, 'origin_fixed: keys are derived from the origin of a vault');
END;

CREATE TRIGGER vaultry_origin_is_never_removed BEFORE DELETE ON vaultry_settings
WHEN OLD.key = 'origin'
BEGIN
  SELECT RAISE(ABORT, 'origin_fixed: keys are derived from the origin of a vault');
END;
