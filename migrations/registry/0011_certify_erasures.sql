-- Erasures of tenants: what was destroyed, and the certificate of it. Nothing here tells whose vault it was.

-- One row for each vault whose erasure has begun; the entry in the directory goes when the certificate is issued.
CREATE TABLE erasures (
    -- of the certificate
    id TEXT PRIMARY KEY,
    -- no reference: the row outlives the vault
    vault_id TEXT NOT NULL UNIQUE CHECK (vault_id <> ''),
    -- keyed hashes of the names it had, so that those who know a name find its certificate
    name_macs TEXT NOT NULL CHECK (CASE WHEN json_valid(name_macs) THEN json_type(name_macs) = 'array' ELSE 0 END),
    -- counted before anything was removed
    facts TEXT NOT NULL CHECK (CASE WHEN json_valid(facts) THEN json_type(facts) = 'object' ELSE 0 END),
    begun_at TEXT NOT NULL CHECK (begun_at GLOB '????-??-??T??:??:??.???Z'),
    issued_at TEXT CHECK (issued_at GLOB '????-??-??T??:??:??.???Z' AND issued_at >= begun_at),
    -- the certificate, signed: a compact JWS
    document TEXT CHECK (document GLOB '*.*.*'),
    CHECK ((issued_at IS NULL) = (document IS NULL))
) STRICT;

CREATE INDEX idx_erasures_unfinished ON erasures (begun_at) WHERE issued_at IS NULL;
CREATE INDEX idx_erasures_issued ON erasures (issued_at) WHERE issued_at IS NOT NULL;

CREATE TRIGGER erasures_only_move_forward BEFORE UPDATE ON erasures
WHEN OLD.issued_at IS NOT NULL OR NEW.id IS NOT OLD.id OR NEW.vault_id IS NOT OLD.vault_id
    OR NEW.facts IS NOT OLD.facts OR NEW.name_macs IS NOT OLD.name_macs OR NEW.begun_at IS NOT OLD.begun_at
BEGIN
    SELECT RAISE(ABORT, 'an erasure is certified once, and what was counted stays');
END;

CREATE TRIGGER erasures_are_kept BEFORE DELETE ON erasures
BEGIN
    SELECT RAISE(ABORT, 'a certificate is kept for good');
END;
