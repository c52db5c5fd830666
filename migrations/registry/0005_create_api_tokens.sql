-- Tokens for programs, narrowed to a vault, tables, verbs, reading, and a date.

CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64 AND token_hash NOT GLOB '*[^0-9a-f]*'),
    -- first characters of the token, so that people can tell theirs apart
    prefix TEXT NOT NULL CHECK (prefix GLOB 'vlt_*' AND length(prefix) = 12),
    kind TEXT NOT NULL CHECK (kind IN ('operator', 'vault')),
    vault_id TEXT REFERENCES vaults (id) ON DELETE CASCADE,
    -- the organisation or branch it acts in; '' = the whole vault, where a vault has no parts
    scope TEXT NOT NULL DEFAULT '' CHECK (length(scope) <= 200),
    -- the charter's role this token acts as inside its vault
    role TEXT CHECK (length(role) BETWEEN 1 AND 100),
    -- JSON lists of names; NULL = every one, [] = none
    tables TEXT CHECK (CASE WHEN json_valid(tables) THEN json_type(tables) = 'array' ELSE tables IS NULL END),
    verbs TEXT CHECK (CASE WHEN json_valid(verbs) THEN json_type(verbs) = 'array' ELSE verbs IS NULL END),
    read_only INTEGER NOT NULL DEFAULT 0 CHECK (read_only IN (0, 1)),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    -- NULL = until revoked
    expires_at TEXT CHECK (expires_at GLOB '????-??-??T??:??:??.???Z' AND expires_at > created_at),
    revoked_at TEXT CHECK (revoked_at GLOB '????-??-??T??:??:??.???Z'),
    last_used_at TEXT CHECK (last_used_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK ((kind = 'vault') = (vault_id IS NOT NULL)),
    CHECK ((kind = 'vault') = (role IS NOT NULL)),
    CHECK (kind = 'vault' OR (tables IS NULL AND verbs IS NULL))
) STRICT;

CREATE INDEX idx_api_tokens_vault ON api_tokens (vault_id, created_at);

-- A token handed out is never widened afterwards: its holder may not be the one it was made for.
CREATE TRIGGER api_tokens_are_never_widened BEFORE UPDATE ON api_tokens
WHEN NEW.token_hash IS NOT OLD.token_hash OR NEW.kind IS NOT OLD.kind OR NEW.vault_id IS NOT OLD.vault_id
    OR NEW.scope IS NOT OLD.scope OR NEW.role IS NOT OLD.role OR NEW.tables IS NOT OLD.tables OR NEW.verbs IS NOT OLD.verbs
    OR NEW.read_only IS NOT OLD.read_only OR NEW.expires_at IS NOT OLD.expires_at
    OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NOT OLD.revoked_at)
BEGIN
    SELECT RAISE(ABORT, 'an API token keeps its reach and stays revoked; make a new one');
END;
