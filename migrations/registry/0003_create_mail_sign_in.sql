-- Signing in by mail: one-time codes, the throttle on them, and the operator's one-time links.

-- A six-digit code, kept as a keyed hash: a million possibilities would fall to a plain one at once.
CREATE TABLE email_codes (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    -- the only vault this code signs in to
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    code_hash TEXT NOT NULL CHECK (length(code_hash) = 64 AND code_hash NOT GLOB '*[^0-9a-f]*'),
    -- wrong guesses against the address while this code was live; the fifth kills every live code of it
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 5),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    expires_at TEXT NOT NULL CHECK (expires_at GLOB '????-??-??T??:??:??.???Z' AND expires_at > created_at),
    used_at TEXT CHECK (used_at GLOB '????-??-??T??:??:??.???Z'),
    killed_at TEXT CHECK (killed_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK (used_at IS NULL OR killed_at IS NULL)
) STRICT;

CREATE UNIQUE INDEX idx_email_codes_unused ON email_codes (email, vault_id, code_hash) WHERE used_at IS NULL;
CREATE INDEX idx_email_codes_expires ON email_codes (expires_at);

CREATE TRIGGER email_codes_end_once BEFORE UPDATE ON email_codes
WHEN OLD.used_at IS NOT NULL OR OLD.killed_at IS NOT NULL OR NEW.attempts < OLD.attempts
    OR NEW.code_hash IS NOT OLD.code_hash OR NEW.expires_at IS NOT OLD.expires_at
    OR NEW.vault_id IS NOT OLD.vault_id OR NEW.email IS NOT OLD.email
BEGIN
    SELECT RAISE(ABORT, 'a code is used or killed once, its guesses only rise, and the rest of it is fixed');
END;

-- How many mails went to an address in the running window of 60 minutes.
CREATE TABLE email_rate_limits (
    email TEXT PRIMARY KEY,
    count INTEGER NOT NULL DEFAULT 1 CHECK (count BETWEEN 1 AND 5),
    window_start TEXT NOT NULL CHECK (window_start GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

CREATE INDEX idx_email_rate_limits_window ON email_rate_limits (window_start);

-- A sign-in link an operator hands to the owner of a new vault. The token itself is never stored.
CREATE TABLE one_time_links (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64 AND token_hash NOT GLOB '*[^0-9a-f]*'),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    expires_at TEXT NOT NULL CHECK (expires_at GLOB '????-??-??T??:??:??.???Z' AND expires_at > created_at),
    used_at TEXT CHECK (used_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

CREATE INDEX idx_one_time_links_account ON one_time_links (account_id, vault_id);
CREATE INDEX idx_one_time_links_vault ON one_time_links (vault_id);
CREATE INDEX idx_one_time_links_expires ON one_time_links (expires_at);

CREATE TRIGGER one_time_links_are_used_once BEFORE UPDATE ON one_time_links
WHEN OLD.used_at IS NOT NULL OR NEW.token_hash IS NOT OLD.token_hash OR NEW.expires_at IS NOT OLD.expires_at
    OR NEW.account_id IS NOT OLD.account_id OR NEW.vault_id IS NOT OLD.vault_id
BEGIN
    SELECT RAISE(ABORT, 'a one-time link is used once, and the rest of it is fixed');
END;
