-- Accounts: who can sign in on this platform. Nothing of a tenant's business lives in the registry.

-- One person's way in, known by a verified mail address. The address is normalised: trimmed, lower case.
CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE CHECK (length(email) BETWEEN 3 AND 254 AND email NOT GLOB '* *'),
    name TEXT CHECK (length(name) BETWEEN 1 AND 200),
    -- argon2id in its own text form; NULL = signs in by code, link or provider only
    password_hash TEXT CHECK (password_hash GLOB '$argon2id$*'),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    -- first proof that the person reads this mailbox; NULL = somebody typed the address, no more
    email_confirmed_at TEXT CHECK (email_confirmed_at GLOB '????-??-??T??:??:??.???Z'),
    disabled_at TEXT CHECK (disabled_at GLOB '????-??-??T??:??:??.???Z'),
    last_sign_in_at TEXT CHECK (last_sign_in_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

CREATE TRIGGER accounts_keep_their_id BEFORE UPDATE OF id, created_at ON accounts
WHEN NEW.id IS NOT OLD.id OR NEW.created_at IS NOT OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'an account keeps its id and its creation time');
END;

-- The same person at an outside provider (OAuth subject). One subject leads to one account.
CREATE TABLE identities (
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    provider TEXT NOT NULL CHECK (provider GLOB '[a-z]*' AND length(provider) <= 40),
    subject TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    PRIMARY KEY (provider, subject)
) STRICT;

CREATE INDEX idx_identities_account ON identities (account_id);
