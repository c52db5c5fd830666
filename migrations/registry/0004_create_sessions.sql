-- Signed-in devices and the refresh tokens that keep them signed in.

-- One sign-in on one device: the family of refresh tokens that descend from it.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    -- the end whatever happens; refresh tokens of the family never outlive it
    expires_at TEXT NOT NULL CHECK (expires_at GLOB '????-??-??T??:??:??.???Z' AND expires_at > created_at),
    revoked_at TEXT CHECK (revoked_at GLOB '????-??-??T??:??:??.???Z'),
    -- reuse = a token came back after its successor was in use: one of the two holders stole it
    revoke_reason TEXT CHECK (revoke_reason IN ('signed_out', 'reuse', 'password_changed', 'account_disabled')),
    CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
) STRICT;

CREATE INDEX idx_sessions_account ON sessions (account_id, vault_id);
CREATE INDEX idx_sessions_vault ON sessions (vault_id);
CREATE INDEX idx_sessions_expires ON sessions (expires_at);

CREATE TRIGGER sessions_end_once BEFORE UPDATE ON sessions
WHEN OLD.revoked_at IS NOT NULL OR NEW.account_id IS NOT OLD.account_id OR NEW.vault_id IS NOT OLD.vault_id
    OR NEW.expires_at IS NOT OLD.expires_at
BEGIN
    SELECT RAISE(ABORT, 'a session is revoked once and never changes its account, vault or end');
END;

-- One link of a family. Only its hash is kept; exactly one token of a family has not been rotated.
CREATE TABLE refresh_tokens (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64 AND token_hash NOT GLOB '*[^0-9a-f]*'),
    -- the token this one replaced; NULL = the first of its family, or the replaced one has been purged
    parent_id TEXT REFERENCES refresh_tokens (id) ON DELETE SET NULL,
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    expires_at TEXT NOT NULL CHECK (expires_at GLOB '????-??-??T??:??:??.???Z' AND expires_at > created_at),
    rotated_at TEXT CHECK (rotated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

CREATE UNIQUE INDEX idx_refresh_tokens_head ON refresh_tokens (session_id) WHERE rotated_at IS NULL;
CREATE UNIQUE INDEX idx_refresh_tokens_parent ON refresh_tokens (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX idx_refresh_tokens_session ON refresh_tokens (session_id);
CREATE INDEX idx_refresh_tokens_expires ON refresh_tokens (expires_at);

CREATE TRIGGER refresh_tokens_rotate_once
BEFORE UPDATE OF session_id, token_hash, created_at, expires_at, rotated_at ON refresh_tokens
WHEN OLD.rotated_at IS NOT NULL OR NEW.token_hash IS NOT OLD.token_hash OR NEW.session_id IS NOT OLD.session_id
    OR NEW.expires_at IS NOT OLD.expires_at OR NEW.created_at IS NOT OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'a refresh token rotates once, and the rest of it is fixed');
END;
