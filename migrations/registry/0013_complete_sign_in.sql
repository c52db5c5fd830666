-- Signing in, complete: what accounts say of themselves, second factors, outside providers, throttles, alerts.

-- What the person says of itself, and what the platform says of it; both go into the user that clients see.
ALTER TABLE accounts ADD COLUMN user_metadata TEXT NOT NULL DEFAULT '{}'
    CHECK (CASE WHEN json_valid(user_metadata) THEN json_type(user_metadata) = 'object' ELSE 0 END);
ALTER TABLE accounts ADD COLUMN app_metadata TEXT NOT NULL DEFAULT '{}'
    CHECK (CASE WHEN json_valid(app_metadata) THEN json_type(app_metadata) = 'object' ELSE 0 END);
-- An address that was asked for and is not confirmed yet; the one in force stays until both mailboxes agreed.
ALTER TABLE accounts ADD COLUMN new_email TEXT CHECK (length(new_email) BETWEEN 3 AND 254 AND new_email NOT GLOB '* *');
-- Which of the two mailboxes has agreed so far
ALTER TABLE accounts ADD COLUMN new_email_agreed TEXT CHECK (new_email_agreed IN ('old', 'new'));
ALTER TABLE accounts ADD COLUMN updated_at TEXT CHECK (updated_at GLOB '????-??-??T??:??:??.???Z');
-- Refused until then; unlike a disabled account it comes back by itself.
ALTER TABLE accounts ADD COLUMN banned_until TEXT CHECK (banned_until GLOB '????-??-??T??:??:??.???Z');

-- What the outside provider said of the person, and when last.
ALTER TABLE identities ADD COLUMN id TEXT;
ALTER TABLE identities ADD COLUMN data TEXT NOT NULL DEFAULT '{}'
    CHECK (CASE WHEN json_valid(data) THEN json_type(data) = 'object' ELSE 0 END);
ALTER TABLE identities ADD COLUMN last_sign_in_at TEXT CHECK (last_sign_in_at GLOB '????-??-??T??:??:??.???Z');

CREATE UNIQUE INDEX idx_identities_id ON identities (id);

-- How the session came to be, and how sure it is who holds it.
ALTER TABLE sessions ADD COLUMN aal TEXT NOT NULL DEFAULT 'aal1' CHECK (aal IN ('aal1', 'aal2'));
-- e.g. [{"method":"password","timestamp":1770285600}], the newest first
ALTER TABLE sessions ADD COLUMN methods TEXT NOT NULL DEFAULT '[]'
    CHECK (CASE WHEN json_valid(methods) THEN json_type(methods) = 'array' ELSE 0 END);
-- The session of another vault it was made from without signing in again; it ends with it.
ALTER TABLE sessions ADD COLUMN parent_id TEXT REFERENCES sessions (id) ON DELETE CASCADE;

CREATE INDEX idx_sessions_parent ON sessions (parent_id) WHERE parent_id IS NOT NULL;

-- What a code in a mail is for; a code is worth nothing for anything else.
ALTER TABLE email_codes ADD COLUMN purpose TEXT NOT NULL DEFAULT 'sign_in'
    CHECK (purpose IN ('sign_in', 'sign_up', 'invite', 'recovery', 'email_change', 'reauthentication'));
-- the account it is bound to; of a sign-up the id that the new account will have
ALTER TABLE email_codes ADD COLUMN account_id TEXT;
-- of the same code as a link, NULL = the link carries the code itself
ALTER TABLE email_codes ADD COLUMN token_hash TEXT CHECK (length(token_hash) = 64 AND token_hash NOT GLOB '*[^0-9a-f]*');
-- of a sign-up: the password that was chosen; nothing is kept of an address that is never confirmed
ALTER TABLE email_codes ADD COLUMN password_hash TEXT CHECK (password_hash GLOB '$argon2id$*');
ALTER TABLE email_codes ADD COLUMN user_metadata TEXT
    CHECK (CASE WHEN json_valid(user_metadata) THEN json_type(user_metadata) = 'object' ELSE user_metadata IS NULL END);
-- the challenge of the client that asked (PKCE): the link gives it a code to exchange, and nobody else a session
ALTER TABLE email_codes ADD COLUMN code_challenge TEXT CHECK (length(code_challenge) = 43);

CREATE UNIQUE INDEX idx_email_codes_token ON email_codes (token_hash) WHERE token_hash IS NOT NULL;
CREATE INDEX idx_email_codes_account ON email_codes (account_id) WHERE account_id IS NOT NULL;

-- Attempts that failed, or mails that were asked for, by keyed hash of who or where: no address stands here.
CREATE TABLE attempt_counters (
    subject TEXT PRIMARY KEY CHECK (length(subject) = 64 AND subject NOT GLOB '*[^0-9a-f]*'),
    count INTEGER NOT NULL CHECK (count >= 0),
    window_start TEXT NOT NULL CHECK (window_start GLOB '????-??-??T??:??:??.???Z'),
    -- a network from which the account signed in: strangers' attempts are not counted against it
    known_until TEXT CHECK (known_until GLOB '????-??-??T??:??:??.???Z')
) STRICT, WITHOUT ROWID;

CREATE INDEX idx_attempt_counters_window ON attempt_counters (window_start);

-- Second factors: a shared secret that makes six digits of the time (RFC 6238).
CREATE TABLE factors (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind TEXT NOT NULL DEFAULT 'totp' CHECK (kind = 'totp'),
    friendly_name TEXT NOT NULL CHECK (length(friendly_name) BETWEEN 1 AND 200),
    -- the secret, sealed under the platform's secret
    secret TEXT NOT NULL CHECK (secret GLOB 'w1:*'),
    -- NULL = the person has not shown yet that it has the secret
    verified_at TEXT CHECK (verified_at GLOB '????-??-??T??:??:??.???Z'),
    -- number of the last 30 seconds whose code was taken; that code and every earlier one is refused
    last_step INTEGER NOT NULL DEFAULT 0 CHECK (last_step >= 0),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

CREATE UNIQUE INDEX idx_factors_name ON factors (account_id, friendly_name);

CREATE TRIGGER factors_take_no_code_twice BEFORE UPDATE ON factors
WHEN NEW.last_step < OLD.last_step OR NEW.secret IS NOT OLD.secret OR NEW.account_id IS NOT OLD.account_id
    OR (OLD.verified_at IS NOT NULL AND NEW.verified_at IS NOT OLD.verified_at)
BEGIN
    SELECT RAISE(ABORT, 'a factor keeps its secret, and its codes are taken once and in order');
END;

-- One question for a code, asked of one session.
CREATE TABLE factor_challenges (
    id TEXT PRIMARY KEY,
    factor_id TEXT NOT NULL REFERENCES factors (id) ON DELETE CASCADE,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    expires_at TEXT NOT NULL CHECK (expires_at GLOB '????-??-??T??:??:??.???Z' AND expires_at > created_at),
    answered_at TEXT CHECK (answered_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

CREATE INDEX idx_factor_challenges_factor ON factor_challenges (factor_id);
CREATE INDEX idx_factor_challenges_session ON factor_challenges (session_id);
CREATE INDEX idx_factor_challenges_expires ON factor_challenges (expires_at);

-- Outside providers that people may sign in with, for the whole platform.
CREATE TABLE identity_providers (
    name TEXT PRIMARY KEY CHECK (name GLOB '[a-z]*' AND length(name) <= 40 AND name NOT GLOB '*[^a-z0-9_-]*'),
    kind TEXT NOT NULL CHECK (kind IN ('oidc', 'google', 'github')),
    issuer TEXT NOT NULL CHECK (issuer GLOB 'http*://*'),
    client_id TEXT NOT NULL CHECK (length(client_id) BETWEEN 1 AND 400),
    -- sealed under the platform's secret; NULL = a public client, which has PKCE alone
    client_secret TEXT CHECK (client_secret GLOB 'w1:*'),
    scopes TEXT NOT NULL,
    -- whether an address that the provider calls verified may lead to an account that is there
    trusts_email INTEGER NOT NULL DEFAULT 1 CHECK (trusts_email IN (0, 1)),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

-- A sign-in under way that leaves for a provider or a mailbox and comes back to the client that began it.
CREATE TABLE sign_in_flows (
    id TEXT PRIMARY KEY,
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    -- the name it was begun under: several may lead into one vault
    slug TEXT NOT NULL,
    -- NULL = a link in a mail
    provider TEXT REFERENCES identity_providers (name) ON DELETE CASCADE,
    -- of the `state` that went to the provider, or of an id token, which signs in once
    state_hash TEXT UNIQUE CHECK (length(state_hash) = 64 AND state_hash NOT GLOB '*[^0-9a-f]*'),
    redirect_to TEXT NOT NULL,
    -- NULL = no PKCE: the session comes back in the fragment of the address
    code_challenge TEXT CHECK (length(code_challenge) = 43),
    -- the account that asked to be linked with the identity; NULL = a sign-in
    link_account_id TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    expires_at TEXT NOT NULL CHECK (expires_at GLOB '????-??-??T??:??:??.???Z' AND expires_at > created_at),
    -- when the provider's answer was taken
    returned_at TEXT CHECK (returned_at GLOB '????-??-??T??:??:??.???Z'),
    -- the code that the client exchanges for a session, and who it then is
    code_hash TEXT UNIQUE CHECK (length(code_hash) = 64 AND code_hash NOT GLOB '*[^0-9a-f]*'),
    account_id TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    method TEXT,
    -- of a linking: the identity to link once the client has proved itself
    subject TEXT,
    data TEXT CHECK (data IS NULL OR json_valid(data)),
    exchanged_at TEXT CHECK (exchanged_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK (code_hash IS NULL OR account_id IS NOT NULL)
) STRICT;

CREATE INDEX idx_sign_in_flows_expires ON sign_in_flows (expires_at);
CREATE INDEX idx_sign_in_flows_vault ON sign_in_flows (vault_id);
CREATE INDEX idx_sign_in_flows_account ON sign_in_flows (account_id) WHERE account_id IS NOT NULL;

CREATE TRIGGER sign_in_flows_are_taken_once BEFORE UPDATE ON sign_in_flows
WHEN OLD.exchanged_at IS NOT NULL OR (OLD.returned_at IS NOT NULL AND NEW.returned_at IS NOT OLD.returned_at)
    OR NEW.state_hash IS NOT OLD.state_hash OR NEW.code_challenge IS NOT OLD.code_challenge
    OR NEW.vault_id IS NOT OLD.vault_id OR NEW.redirect_to IS NOT OLD.redirect_to
BEGIN
    SELECT RAISE(ABORT, 'a sign-in comes back once and is exchanged once');
END;

-- What operators set for one vault: who may sign up, where links may lead, who needs a second factor.
CREATE TABLE sign_in_settings (
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name IN ('auth.signup', 'auth.redirects', 'auth.mfa')),
    value TEXT NOT NULL CHECK (length(value) <= 4000),
    PRIMARY KEY (vault_id, name)
) STRICT, WITHOUT ROWID;

-- What the owner of an account, and the operator, should know of.
CREATE TABLE security_alerts (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- where it happened; NULL = no vault, or one that is gone
    vault_id TEXT REFERENCES vaults (id) ON DELETE SET NULL,
    kind TEXT NOT NULL CHECK (kind GLOB '[a-z]*' AND length(kind) <= 60),
    at TEXT NOT NULL CHECK (at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

CREATE INDEX idx_security_alerts_account ON security_alerts (account_id, at);
CREATE INDEX idx_security_alerts_vault ON security_alerts (vault_id) WHERE vault_id IS NOT NULL;
CREATE INDEX idx_security_alerts_at ON security_alerts (at);
