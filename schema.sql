-- Every table of Vaultry as the migrations leave it: of the registry, the kernel, each charter.
-- Written by `vaultry schema` and compared by a test; never run: to change a table, add a migration. Registry and
-- charters are databases of their own, each on top of the kernel's tables.


-- =====================================================================================================================
-- Registry: registry/0001_create_accounts to registry/0020_open_vaults_on_request
-- =====================================================================================================================

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
, user_metadata TEXT NOT NULL DEFAULT '{}'
    CHECK (CASE WHEN json_valid(user_metadata) THEN json_type(user_metadata) = 'object' ELSE 0 END), app_metadata TEXT NOT NULL DEFAULT '{}'
    CHECK (CASE WHEN json_valid(app_metadata) THEN json_type(app_metadata) = 'object' ELSE 0 END), new_email TEXT CHECK (length(new_email) BETWEEN 3 AND 254 AND new_email NOT GLOB '* *'), new_email_agreed TEXT CHECK (new_email_agreed IN ('old', 'new')), updated_at TEXT CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'), banned_until TEXT CHECK (banned_until GLOB '????-??-??T??:??:??.???Z')) STRICT;

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
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'), id TEXT, data TEXT NOT NULL DEFAULT '{}'
    CHECK (CASE WHEN json_valid(data) THEN json_type(data) = 'object' ELSE 0 END), last_sign_in_at TEXT CHECK (last_sign_in_at GLOB '????-??-??T??:??:??.???Z'),
    PRIMARY KEY (provider, subject)
) STRICT;
CREATE INDEX idx_identities_account ON identities (account_id);
CREATE UNIQUE INDEX idx_identities_id ON identities (id);

-- One row per vault. What is inside it (people, roles, grants) is known to the vault alone.
CREATE TABLE vaults (
    id TEXT PRIMARY KEY,
    charter TEXT NOT NULL CHECK (charter GLOB '[a-z]*' AND length(charter) <= 40),
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
    -- number of the last migration of each set, e.g. {"kernel":1,"choir":3}
    schema_numbers TEXT NOT NULL DEFAULT '{}'
        CHECK (CASE WHEN json_valid(schema_numbers) THEN json_type(schema_numbers) = 'object' ELSE 0 END),
    bookmark TEXT,
    size_bytes INTEGER NOT NULL DEFAULT 0 CHECK (size_bytes >= 0),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    -- kept while deleted, so that an undeleted vault is as suspended as it was
    suspended_at TEXT CHECK (suspended_at GLOB '????-??-??T??:??:??.???Z'),
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z'),
    -- a fork names the vault and the point in time it was made from
    parent_vault_id TEXT REFERENCES vaults (id) ON DELETE SET NULL,
    parent_bookmark TEXT, schema_hash TEXT CHECK (length(schema_hash) = 64), schema_hold TEXT
    CHECK (CASE WHEN json_valid(schema_hold) THEN json_type(schema_hold) = 'object' ELSE schema_hold IS NULL END), refusal TEXT,
    CHECK ((status = 'deleted') = (deleted_at IS NOT NULL)),
    CHECK (status <> 'active' OR suspended_at IS NULL),
    CHECK (status <> 'suspended' OR suspended_at IS NOT NULL),
    CHECK (parent_vault_id IS NULL OR (parent_bookmark IS NOT NULL AND parent_vault_id <> id))
) STRICT;
CREATE INDEX idx_vaults_created ON vaults (created_at, id);
CREATE INDEX idx_vaults_name ON vaults (name);
CREATE INDEX idx_vaults_deleted ON vaults (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX idx_vaults_parent ON vaults (parent_vault_id) WHERE parent_vault_id IS NOT NULL;

CREATE TRIGGER vaults_keep_their_origin BEFORE UPDATE OF id, charter, created_at ON vaults
WHEN NEW.id IS NOT OLD.id OR NEW.charter IS NOT OLD.charter OR NEW.created_at IS NOT OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'a vault keeps its id, charter and creation time');
END;

CREATE TRIGGER vaults_take_their_maintenance_along AFTER DELETE ON vaults
BEGIN
    DELETE FROM maintenance_runs WHERE vault_id = OLD.id;
    DELETE FROM audit_anchors WHERE vault_id = OLD.id;
END;

CREATE TRIGGER vaults_take_their_drills_along AFTER DELETE ON vaults
BEGIN
    DELETE FROM drills WHERE vault_id = OLD.id;
END;

-- Names in addresses. Several may lead into one vault, each with its organisation or branch as scope.
CREATE TABLE slugs (
    slug TEXT PRIMARY KEY CHECK (
        length(slug) BETWEEN 3 AND 30 AND slug NOT GLOB '*[^a-z0-9-]*' AND slug NOT GLOB '-*' AND slug NOT GLOB '*-'
    ),
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    -- organisation or branch id inside the vault; '' = the whole vault
    scope TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_slugs_vault ON slugs (vault_id, created_at, slug);

-- A name that moved would carry its old visitors, links and cookies into another tenant.
CREATE TRIGGER slugs_stay_with_their_vault BEFORE UPDATE OF slug, vault_id ON slugs
WHEN NEW.slug IS NOT OLD.slug OR NEW.vault_id IS NOT OLD.vault_id
BEGIN
    SELECT RAISE(ABORT, 'a slug stays with its vault; remove it and add it anew');
END;

-- Where an account has been admitted: a list of doors to show, never a right to pass one.
CREATE TABLE memberships (
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    PRIMARY KEY (account_id, vault_id)
) STRICT;
CREATE INDEX idx_memberships_vault ON memberships (vault_id);

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
    killed_at TEXT CHECK (killed_at GLOB '????-??-??T??:??:??.???Z'), purpose TEXT NOT NULL DEFAULT 'sign_in'
    CHECK (purpose IN ('sign_in', 'sign_up', 'invite', 'recovery', 'email_change', 'reauthentication')), account_id TEXT, token_hash TEXT CHECK (length(token_hash) = 64 AND token_hash NOT GLOB '*[^0-9a-f]*'), password_hash TEXT CHECK (password_hash GLOB '$argon2id$*'), user_metadata TEXT
    CHECK (CASE WHEN json_valid(user_metadata) THEN json_type(user_metadata) = 'object' ELSE user_metadata IS NULL END), code_challenge TEXT CHECK (length(code_challenge) = 43),
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
CREATE UNIQUE INDEX idx_email_codes_token ON email_codes (token_hash) WHERE token_hash IS NOT NULL;
CREATE INDEX idx_email_codes_account ON email_codes (account_id) WHERE account_id IS NOT NULL;

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
    revoke_reason TEXT CHECK (revoke_reason IN ('signed_out', 'reuse', 'password_changed', 'account_disabled')), aal TEXT NOT NULL DEFAULT 'aal1' CHECK (aal IN ('aal1', 'aal2')), methods TEXT NOT NULL DEFAULT '[]'
    CHECK (CASE WHEN json_valid(methods) THEN json_type(methods) = 'array' ELSE 0 END), parent_id TEXT REFERENCES sessions (id) ON DELETE CASCADE,
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
CREATE INDEX idx_sessions_parent ON sessions (parent_id) WHERE parent_id IS NOT NULL;

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
    last_used_at TEXT CHECK (last_used_at GLOB '????-??-??T??:??:??.???Z'), sql TEXT
    CHECK (sql IS NULL OR (sql IN ('read', 'write') AND kind = 'vault' AND (sql = 'read') = read_only)),
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

CREATE TRIGGER api_tokens_keep_their_sql BEFORE UPDATE OF sql ON api_tokens
WHEN NEW.sql IS NOT OLD.sql
BEGIN
    SELECT RAISE(ABORT, 'an API token keeps its reach and stays revoked; make a new one');
END;

-- One row for each vault and job. The vault id `registry` is the registry itself, which is not in the directory.
CREATE TABLE maintenance_runs (
    vault_id TEXT NOT NULL CHECK (vault_id <> ''),
    job TEXT NOT NULL CHECK (job GLOB '[a-z]*' AND length(job) <= 80),
    -- NULL = asked for, and never run
    last_ran_at TEXT CHECK (last_ran_at GLOB '????-??-??T??:??:??.???Z'),
    last_succeeded_at TEXT CHECK (last_succeeded_at GLOB '????-??-??T??:??:??.???Z'),
    next_due_at TEXT NOT NULL CHECK (next_due_at GLOB '????-??-??T??:??:??.???Z'),
    outcome TEXT CHECK (outcome IN ('ok', 'failed')),
    -- failures in a row
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    -- of the last run that went well: whole numbers and short texts
    report TEXT NOT NULL DEFAULT '{}'
        CHECK (CASE WHEN json_valid(report) THEN json_type(report) = 'object' ELSE 0 END),
    -- a code or a kind of error, nothing personal
    error TEXT,
    PRIMARY KEY (vault_id, job),
    CHECK ((outcome IS NULL) = (last_ran_at IS NULL)),
    CHECK (outcome IS NOT 'failed' OR (error IS NOT NULL AND failures > 0)),
    CHECK (outcome IS 'failed' OR (error IS NULL AND failures = 0))
) STRICT, WITHOUT ROWID;

-- Where the audit chain of a vault was last seen to stand: a later chain without this link was rewritten.
CREATE TABLE audit_anchors (
    vault_id TEXT NOT NULL PRIMARY KEY CHECK (vault_id <> ''),
    seq INTEGER NOT NULL CHECK (seq > 0),
    mac TEXT NOT NULL CHECK (length(mac) = 64 AND mac NOT GLOB '*[^0-9a-f]*'),
    anchored_at TEXT NOT NULL CHECK (anchored_at GLOB '????-??-??T??:??:??.???Z')
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_anchors_only_move_forward BEFORE UPDATE ON audit_anchors
WHEN NEW.vault_id IS NOT OLD.vault_id OR NEW.seq < OLD.seq OR (NEW.seq = OLD.seq AND NEW.mac IS NOT OLD.mac)
BEGIN
    SELECT RAISE(ABORT, 'an anchor only moves forward along its chain');
END;

-- The vault id `registry` is the registry itself, which is not in the directory.
CREATE TABLE drills (
    vault_id TEXT PRIMARY KEY CHECK (vault_id <> ''),
    drilled_at TEXT NOT NULL CHECK (drilled_at GLOB '????-??-??T??:??:??.???Z'),
    passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
    -- of the last drill that passed
    proven_at TEXT CHECK (proven_at GLOB '????-??-??T??:??:??.???Z'),
    -- whether the litestream program made the copy: not_chosen = its turn is another time
    litestream TEXT NOT NULL CHECK (litestream IN ('used', 'not_chosen', 'not_found')),
    -- where the store has the report
    object_key TEXT NOT NULL,
    -- the report, signed: a compact JWS
    report TEXT NOT NULL CHECK (report GLOB '*.*.*'),
    CHECK (passed = 0 OR proven_at IS drilled_at)
) STRICT;

CREATE TABLE vault_labels (
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    label TEXT NOT NULL CHECK (
        length(label) BETWEEN 1 AND 40 AND label NOT GLOB '*[^a-z0-9._-]*' AND label GLOB '[a-z0-9]*'
    ),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    PRIMARY KEY (vault_id, label)
) STRICT;
CREATE INDEX idx_vault_labels_label ON vault_labels (label, vault_id);

-- One migration of the fleet, ring by ring.
CREATE TABLE rollouts (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'halted', 'done', 'replaced')),
    -- the only charter it is for; NULL = every one
    charter TEXT,
    -- last step of each set by charter, e.g. {"choir":{"choir":8,"kernel":6}}
    target TEXT NOT NULL CHECK (json_valid(target)),
    -- of the content of those steps: another release with the same numbers is another rollout
    target_hash TEXT NOT NULL CHECK (length(target_hash) = 64),
    -- in order, e.g. [{"name":"10%","share":1000,"vaults":[],"total":120}]
    rings TEXT NOT NULL CHECK (json_valid(rings)),
    -- index of the ring under way
    ring INTEGER NOT NULL DEFAULT 0 CHECK (ring >= 0),
    error_budget TEXT NOT NULL,
    halted_because TEXT,
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    ended_at TEXT CHECK (ended_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK ((state IN ('done', 'replaced')) = (ended_at IS NOT NULL)),
    CHECK ((state = 'halted') <= (halted_because IS NOT NULL))
) STRICT;

-- Two operators who begin at once get one rollout.
CREATE UNIQUE INDEX idx_rollouts_open ON rollouts ((state IN ('running', 'halted'))) WHERE state IN ('running', 'halted');

-- A vault the rollout has come to. Its row is the claim: it is made before the vault is looked at.
CREATE TABLE rollout_vaults (
    rollout_id TEXT NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    ring INTEGER NOT NULL CHECK (ring >= 0),
    state TEXT NOT NULL DEFAULT 'begun' CHECK (state IN ('begun', 'migrated', 'current', 'failed', 'reverted')),
    -- the state to go back to, noted before the first step; NULL = not looked at yet, or it could not be opened
    bookmark TEXT,
    -- last step of each set at that bookmark
    numbers TEXT CHECK (numbers IS NULL OR json_valid(numbers)),
    step TEXT,
    error_code TEXT,
    error TEXT,
    begun_at TEXT NOT NULL CHECK (begun_at GLOB '????-??-??T??:??:??.???Z'),
    ended_at TEXT CHECK (ended_at GLOB '????-??-??T??:??:??.???Z'),
    PRIMARY KEY (rollout_id, vault_id),
    CHECK ((state = 'begun') = (ended_at IS NULL)),
    CHECK ((state = 'failed') = (error_code IS NOT NULL)),
    CHECK (state NOT IN ('migrated', 'reverted') OR bookmark IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_rollout_vaults_ring ON rollout_vaults (rollout_id, ring, state);
CREATE INDEX idx_rollout_vaults_vault ON rollout_vaults (vault_id);

-- Vaults outside the directory, listed before they are made: the forks of a rehearsal, tenants that are being made.
-- What a killed process leaves of them is found here and removed.
CREATE TABLE scratch_vaults (
    id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('rehearsal', 'provisioning')),
    run_id TEXT NOT NULL,
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_scratch_vaults_run ON scratch_vaults (run_id);

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

-- Processes add what they counted every few minutes: a total that lags a little, and misses what a killed process held.
CREATE TABLE vault_requests (
    vault_id TEXT NOT NULL PRIMARY KEY REFERENCES vaults (id) ON DELETE CASCADE,
    total INTEGER NOT NULL CHECK (total >= 0)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE signing_keys (
    id TEXT PRIMARY KEY,
    -- published as `kid`
    key_id TEXT NOT NULL UNIQUE,
    -- `alg` of what it signs
    algorithm TEXT NOT NULL CHECK (algorithm IN ('ES256', 'EdDSA')),
    -- JWK: kty EC, crv P-256, x, y; or kty OKP, crv Ed25519, x
    public_key TEXT NOT NULL
        CHECK (CASE WHEN json_valid(public_key) THEN
            json_extract(public_key, '$.crv') IS CASE algorithm WHEN 'ES256' THEN 'P-256' ELSE 'Ed25519' END
            ELSE 0 END),
    -- the 32 secret bytes, sealed under the platform's secret
    private_key TEXT NOT NULL CHECK (private_key GLOB 'w1:*'),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    -- from when it may sign; NULL = published only
    activated_at TEXT CHECK (activated_at GLOB '????-??-??T??:??:??.???Z'),
    -- NULL = trusted
    revoked_at TEXT CHECK (revoked_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_signing_keys_active ON signing_keys (revoked_at);

CREATE TRIGGER signing_keys_only_move_forward BEFORE UPDATE ON signing_keys
WHEN OLD.revoked_at IS NOT NULL OR (OLD.activated_at IS NOT NULL AND NEW.activated_at IS NOT OLD.activated_at)
    OR NEW.key_id IS NOT OLD.key_id OR NEW.algorithm IS NOT OLD.algorithm OR NEW.public_key IS NOT OLD.public_key
BEGIN
    SELECT RAISE(ABORT, 'a signing key is activated once, revoked once, and its public half is fixed');
END;

-- A database's name, where it is not the slug. It is free again as soon as the database is deleted.
CREATE TABLE database_names (
    name TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64 AND name NOT GLOB '*[^A-Za-z0-9_-]*'),
    vault_id TEXT NOT NULL UNIQUE REFERENCES vaults (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

-- What clients set and read back; a vault without a row has the defaults.
CREATE TABLE database_settings (
    vault_id TEXT PRIMARY KEY REFERENCES vaults (id) ON DELETE CASCADE,
    read_replication TEXT NOT NULL DEFAULT 'disabled' CHECK (read_replication IN ('auto', 'disabled')),
    location_hint TEXT CHECK (location_hint IN ('wnam', 'enam', 'weur', 'eeur', 'apac', 'oc'))
) STRICT;

-- Imports and exports. They outlive the process that began them, and tell for a day how they ended.
CREATE TABLE database_jobs (
    id TEXT PRIMARY KEY,
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('import', 'export')),
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'complete', 'error')),
    -- where the database stood when the job began: clients ask for it by this
    at_bookmark TEXT NOT NULL CHECK (length(at_bookmark) = 59),
    -- MD5 of the file that is imported
    etag TEXT CHECK (length(etag) = 32 AND etag NOT GLOB '*[^0-9a-f]*'),
    -- the object in the vault's folder of jobs: read by an import, made by an export
    filename TEXT NOT NULL CHECK (filename NOT GLOB '*/*' AND length(filename) BETWEEN 1 AND 200),
    -- what was asked for, and by whom: JSON objects
    options TEXT NOT NULL CHECK (json_valid(options)),
    actor TEXT NOT NULL CHECK (json_valid(actor)),
    -- lines for people, a JSON list
    messages TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(messages)),
    result TEXT CHECK (result IS NULL OR json_valid(result)),
    error TEXT,
    -- who works on it, and until when nobody else may begin; NULL = nobody
    holder TEXT,
    held_until TEXT CHECK (held_until GLOB '????-??-??T??:??:??.???Z'),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    ended_at TEXT CHECK (ended_at GLOB '????-??-??T??:??:??.???Z'), told_at TEXT CHECK (told_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK ((kind = 'import') = (etag IS NOT NULL)),
    CHECK ((status = 'active') = (ended_at IS NULL)),
    CHECK ((status = 'complete') = (result IS NOT NULL)),
    CHECK ((status = 'error') = (error IS NOT NULL))
) STRICT;
CREATE INDEX idx_database_jobs_vault ON database_jobs (vault_id, kind, id);
CREATE INDEX idx_database_jobs_active ON database_jobs (created_at) WHERE status = 'active';

-- How far the lines below are from the vault: the mark it had at the commit of this bookmark.
CREATE TABLE published_vaults (
    vault_id TEXT NOT NULL PRIMARY KEY REFERENCES vaults (id) ON DELETE CASCADE,
    mark TEXT NOT NULL,
    bookmark TEXT NOT NULL,
    published_at TEXT NOT NULL CHECK (published_at GLOB '????-??-??T??:??:??.???Z')
) STRICT, WITHOUT ROWID;

CREATE TABLE public_lines (
    -- charter and verb, as `choir/organization.list_public`
    list TEXT NOT NULL CHECK (list GLOB '?*/?*'),
    -- where it stands in the list: the folded texts it is sorted by
    place TEXT NOT NULL,
    id TEXT NOT NULL,
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    -- shown only while this name leads into the vault
    slug TEXT NOT NULL,
    line TEXT NOT NULL CHECK (CASE WHEN json_valid(line) THEN json_type(line) = 'object' ELSE 0 END),
    PRIMARY KEY (list, place, id, vault_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_public_lines_vault ON public_lines (vault_id, list);

-- Held while a vault writes the organisation that is to have the name. One that stays behind is settled by maintenance.
CREATE TABLE slug_reservations (
    id TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL CHECK (
        length(slug) BETWEEN 3 AND 30 AND slug NOT GLOB '*[^a-z0-9-]*' AND slug NOT GLOB '-*' AND slug NOT GLOB '*-'
    ),
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    reserved_at TEXT NOT NULL CHECK (reserved_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_slug_reservations_slug ON slug_reservations (slug);
CREATE INDEX idx_slug_reservations_vault ON slug_reservations (vault_id);
CREATE INDEX idx_slug_reservations_age ON slug_reservations (reserved_at);

-- Figures that charters count in their vaults, one line for each job and calendar day (UTC): the last count of the day.
CREATE TABLE daily_figures (
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    job TEXT NOT NULL CHECK (job GLOB '[a-z]*' AND length(job) <= 80),
    day TEXT NOT NULL CHECK (day IS date(day, '+0 days')),
    -- whole numbers by name
    figures TEXT NOT NULL CHECK (CASE WHEN json_valid(figures) THEN json_type(figures) = 'object' ELSE 0 END),
    counted_at TEXT NOT NULL CHECK (counted_at GLOB '????-??-??T??:??:??.???Z'),
    PRIMARY KEY (vault_id, job, day)
) STRICT, WITHOUT ROWID;

-- Who was forgotten in which vault: ids and times only. A restore replays it, so that nobody comes back. It outlives the
-- vault: its archive may come back too.
CREATE TABLE forgotten_people (
    vault_id TEXT NOT NULL,
    table_name TEXT NOT NULL,
    row_key TEXT NOT NULL,
    forgotten_at TEXT NOT NULL CHECK (length(forgotten_at) = 24),
    PRIMARY KEY (vault_id, table_name, row_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE registrations (
    id TEXT NOT NULL PRIMARY KEY,
    charter TEXT NOT NULL,
    -- the name that is wanted; nobody has it before the vault is in the directory
    slug TEXT NOT NULL CHECK (
        length(slug) BETWEEN 3 AND 30 AND slug NOT GLOB '*[^a-z0-9-]*' AND slug NOT GLOB '-*' AND slug NOT GLOB '*-'
    ),
    -- keyed hash of the owner's address: who never comes back leaves none here
    owner_hash TEXT NOT NULL CHECK (length(owner_hash) = 64 AND owner_hash NOT GLOB '*[^0-9a-f]*'),
    code_hash TEXT NOT NULL CHECK (length(code_hash) = 64 AND code_hash NOT GLOB '*[^0-9a-f]*'),
    -- wrong guesses while the code was live; the fifth kills it
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 5),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    expires_at TEXT NOT NULL CHECK (expires_at GLOB '????-??-??T??:??:??.???Z' AND expires_at > created_at),
    -- the vault that is made since the code came back; another one when that attempt died
    vault_id TEXT UNIQUE,
    entered_at TEXT CHECK (entered_at GLOB '????-??-??T??:??:??.???Z' AND (entered_at IS NULL OR vault_id IS NOT NULL))
) STRICT;
CREATE INDEX idx_registrations_owner ON registrations (owner_hash, slug, charter);
CREATE INDEX idx_registrations_expires ON registrations (expires_at);


-- =====================================================================================================================
-- Kernel: kernel/0001_migration_ledger to kernel/0011_forget_people
-- =====================================================================================================================

-- Which steps of which sets this vault has had, with the content hash each had when it ran.
CREATE TABLE vaultry_migrations (
  set_name   TEXT NOT NULL CHECK (set_name <> ''),
  number     INTEGER NOT NULL CHECK (number > 0),
  name       TEXT NOT NULL,
  sha256     TEXT NOT NULL CHECK (length(sha256) = 64),
  applied_at TEXT NOT NULL CHECK (length(applied_at) = 24), applied_to TEXT CHECK (length(applied_to) = 59),
  PRIMARY KEY (set_name, number)
) STRICT, WITHOUT ROWID;

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

-- The data key of personal columns, wrapped by the master key. Destroying it makes them unreadable for good.
CREATE TABLE vaultry_personal_keys (
  id           TEXT NOT NULL PRIMARY KEY,
  wrapped_key  TEXT NOT NULL,
  created_at   TEXT NOT NULL CHECK (length(created_at) = 24),
  destroyed_at TEXT CHECK (length(destroyed_at) = 24)
) STRICT;

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

-- Answers already given, by the key the caller chose; written in the same commit as the effect.
CREATE TABLE vaultry_idempotency (
  actor      TEXT NOT NULL,
  key        TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  digest     TEXT NOT NULL CHECK (length(digest) = 64),
  answer     TEXT NOT NULL,
  created_at TEXT NOT NULL CHECK (length(created_at) = 24),
  PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX vaultry_idempotency_created_at ON vaultry_idempotency (created_at);

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

CREATE TRIGGER vaultry_audit_sections_stay_update BEFORE UPDATE ON vaultry_audit_sections
BEGIN
  SELECT RAISE(ABORT, 'audit_append_only: audit rows are never changed');
END;

CREATE TRIGGER vaultry_audit_sections_stay_delete BEFORE DELETE ON vaultry_audit_sections
BEGIN
  SELECT RAISE(ABORT, 'audit_append_only: audit rows are never removed');
END;

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

CREATE TRIGGER vaultry_audit_imported_stay_update BEFORE UPDATE ON vaultry_audit_imported
BEGIN
  SELECT RAISE(ABORT, 'audit_append_only: audit rows are never changed');
END;

CREATE TRIGGER vaultry_audit_imported_stay_delete BEFORE DELETE ON vaultry_audit_imported
BEGIN
  SELECT RAISE(ABORT, 'audit_append_only: audit rows are never removed');
END;

-- One row for each content the vault keeps. It tells what the store holds now, so it is not set back with the vault.
CREATE TABLE vaultry_blobs (
  sha256      TEXT NOT NULL PRIMARY KEY CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
  size        INTEGER NOT NULL CHECK (size >= 0),
  -- name of the object in the vault's folder of files
  object      TEXT NOT NULL UNIQUE CHECK (length(object) = 36),
  created_at  TEXT NOT NULL CHECK (length(created_at) = 24),
  -- when no file was seen to refer to it; NULL = one does, or nobody has looked since
  released_at TEXT CHECK (length(released_at) = 24)
) STRICT, WITHOUT ROWID;

-- Buckets made by hand; those of the charter are declared and have no row.
CREATE TABLE vaultry_buckets (
  id         TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 100),
  public     INTEGER NOT NULL DEFAULT 0 CHECK (public IN (0, 1)),
  max_bytes  INTEGER CHECK (max_bytes > 0),
  -- media types taken, a JSON list; NULL = all
  types      TEXT CHECK (types IS NULL OR json_valid(types)),
  created_by TEXT NOT NULL,
  created_at TEXT NOT NULL CHECK (length(created_at) = 24),
  updated_at TEXT NOT NULL CHECK (length(updated_at) = 24)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER vaultry_bucket_with_files_stays BEFORE DELETE ON vaultry_buckets
WHEN EXISTS (SELECT 1 FROM vaultry_files WHERE bucket = OLD.id)
BEGIN
  SELECT RAISE(ABORT, 'bucket_not_empty: the bucket still has files');
END;

CREATE TABLE vaultry_files (
  id            TEXT NOT NULL PRIMARY KEY,
  bucket        TEXT NOT NULL,
  name          TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 1024 AND name NOT GLOB '/*' AND name NOT GLOB '*/'),
  -- key of the row that owns it, in the table the bucket is declared for; NULL = a bucket made by hand
  row_key       TEXT,
  sha256        TEXT NOT NULL REFERENCES vaultry_blobs (sha256),
  size          INTEGER NOT NULL CHECK (size >= 0),
  content_type  TEXT NOT NULL CHECK (content_type <> ''),
  cache_control TEXT NOT NULL,
  -- what the uploader said of it, a JSON object
  metadata      TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  version       INTEGER NOT NULL DEFAULT 1 CHECK (version > 0),
  uploaded_by   TEXT NOT NULL,
  created_at    TEXT NOT NULL CHECK (length(created_at) = 24),
  updated_at    TEXT NOT NULL CHECK (length(updated_at) = 24),
  UNIQUE (bucket, name)
) STRICT;

-- References to a content are counted in it, and the bytes of all files are summed.
CREATE INDEX vaultry_files_content ON vaultry_files (sha256, size);
CREATE INDEX vaultry_files_row ON vaultry_files (bucket, row_key) WHERE row_key IS NOT NULL;

CREATE TRIGGER vaultry_blob_is_taken_by_a_new_file AFTER INSERT ON vaultry_files
BEGIN
  UPDATE vaultry_blobs SET released_at = NULL WHERE sha256 = NEW.sha256 AND released_at IS NOT NULL;
END;

CREATE TRIGGER vaultry_blob_is_taken_by_a_file AFTER UPDATE OF sha256 ON vaultry_files
BEGIN
  UPDATE vaultry_blobs SET released_at = NULL WHERE sha256 = NEW.sha256 AND released_at IS NOT NULL;
END;

-- What anybody may read of a vault, such as its line in a directory, is gathered outside of it. Triggers of the charter
-- set a new mark whenever that changes, so that who gathers sees whether what he has is out of date.
CREATE TABLE vaultry_publication (
  only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
  -- random, so that a vault set back to an earlier point never has the mark of another content
  mark     TEXT NOT NULL CHECK (length(mark) = 16)
) STRICT;

-- secret opens the values in the audit log that are about the row; it goes when the person is forgotten.
CREATE TABLE vaultry_row_keys (
  table_name TEXT NOT NULL,
  row_key    TEXT NOT NULL,
  secret     TEXT NOT NULL CHECK (length(secret) = 43),
  PRIMARY KEY (table_name, row_key)
) STRICT, WITHOUT ROWID;

-- Ids and times only. Kept when the vault is set back, so that nobody comes back with an earlier state.
CREATE TABLE vaultry_forgotten (
  table_name   TEXT NOT NULL,
  row_key      TEXT NOT NULL,
  forgotten_at TEXT NOT NULL CHECK (length(forgotten_at) = 24),
  -- when the register outside the vault knew of it
  told_at      TEXT CHECK (length(told_at) = 24),
  -- when what was freed in the file had been overwritten
  wiped_at     TEXT CHECK (length(wiped_at) = 24),
  PRIMARY KEY (table_name, row_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX vaultry_forgotten_untold ON vaultry_forgotten (forgotten_at) WHERE told_at IS NULL;
CREATE INDEX vaultry_forgotten_unwiped ON vaultry_forgotten (forgotten_at) WHERE wiped_at IS NULL;


-- =====================================================================================================================
-- Charter blank: blank/0001_contract_views to blank/0002_keep_policies_and_steps
-- =====================================================================================================================

-- What clients may do with a table of the owner's own schema, as JSON; a table that is not named here is closed.
CREATE TABLE vaultry_policies (
  table_name TEXT NOT NULL PRIMARY KEY CHECK (table_name <> ''),
  declared   TEXT NOT NULL CHECK (json_type(declared) = 'object')
) STRICT, WITHOUT ROWID;

-- Which permissions a token has that acts as a role, as a JSON list.
CREATE TABLE vaultry_roles (
  role        TEXT NOT NULL PRIMARY KEY CHECK (role <> ''),
  permissions TEXT NOT NULL CHECK (json_type(permissions) = 'array')
) STRICT, WITHOUT ROWID;

-- Which of the owner's own numbered files this vault has had, with the content hash each had when it ran.
CREATE TABLE vaultry_own_steps (
  number     INTEGER PRIMARY KEY CHECK (number > 0),
  name       TEXT NOT NULL,
  sha256     TEXT NOT NULL CHECK (length(sha256) = 64),
  applied_at TEXT NOT NULL CHECK (length(applied_at) = 24)
) STRICT;

-- A vault for a schema of one's own: nobody signs in to it until its owner says who they are, by other views.
CREATE VIEW principals (id, email, name, active) AS SELECT NULL, NULL, NULL, NULL WHERE 0;

CREATE VIEW grants (principal_id, permission, scope) AS SELECT NULL, NULL, NULL WHERE 0;


-- =====================================================================================================================
-- Charter choir: choir/0001_organizations_and_members to choir/0014_page_works
-- =====================================================================================================================

CREATE TABLE organizations (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    subdomain TEXT NOT NULL UNIQUE
        CHECK (length(subdomain) BETWEEN 3 AND 30 AND subdomain NOT GLOB '*[^a-z0-9-]*'
               AND subdomain NOT GLOB '-*' AND subdomain NOT GLOB '*-'),
    type TEXT NOT NULL CHECK (type IN ('umbrella', 'collective')),
    contact_email TEXT NOT NULL CHECK (length(contact_email) BETWEEN 5 AND 254),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    language TEXT CHECK (length(language) BETWEEN 1 AND 35),
    locale TEXT CHECK (length(locale) BETWEEN 1 AND 35),
    timezone TEXT CHECK (length(timezone) BETWEEN 1 AND 64),
    trust_individual_responsibility INTEGER NOT NULL DEFAULT 0 CHECK (trust_individual_responsibility IN (0, 1))
) STRICT;
CREATE INDEX idx_organizations_subdomain ON organizations (subdomain);
CREATE INDEX idx_organizations_type ON organizations (type);

CREATE TRIGGER organizations_keep_subdomain_and_type
BEFORE UPDATE OF subdomain, type ON organizations
WHEN NEW.subdomain IS NOT OLD.subdomain OR NEW.type IS NOT OLD.type
BEGIN
    SELECT RAISE(ABORT, 'immutable: the subdomain and the type of an organization never change');
END;

CREATE TRIGGER organization_is_published AFTER INSERT ON organizations
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

CREATE TRIGGER organization_is_published_anew AFTER UPDATE OF name, contact_email ON organizations
WHEN NEW.name IS NOT OLD.name OR NEW.contact_email IS NOT OLD.contact_email
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

CREATE TRIGGER organization_is_published_no_more AFTER DELETE ON organizations
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

-- email_id and email_contact hold ciphertext; email_id_lookup is the keyed hash of the sign-in address.
CREATE TABLE members (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    nickname TEXT CHECK (nickname = trim(nickname) AND length(nickname) BETWEEN 1 AND 200),
    email_id TEXT,
    email_id_lookup TEXT,
    email_contact TEXT,
    invited_by TEXT REFERENCES members (id),
    joined_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (joined_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK ((email_id IS NULL) = (email_id_lookup IS NULL))
) STRICT;
CREATE UNIQUE INDEX idx_members_email_id ON members (email_id_lookup) WHERE email_id_lookup IS NOT NULL;
CREATE INDEX idx_members_nickname ON members (nickname) WHERE nickname IS NOT NULL;
CREATE INDEX idx_members_invited_by ON members (invited_by) WHERE invited_by IS NOT NULL;

CREATE TRIGGER roster_person_stays_in_one_organization
BEFORE UPDATE OF email_id ON members
WHEN NEW.email_id IS NULL AND OLD.email_id IS NOT NULL
 AND (SELECT count(*) FROM member_organizations WHERE member_id = OLD.id) > 1
BEGIN
    SELECT RAISE(ABORT, 'duplicate: a member of several organizations keeps a sign-in address');
END;

CREATE TRIGGER last_owner_keeps_the_address
BEFORE UPDATE OF email_id ON members
WHEN NEW.email_id IS NULL AND OLD.email_id IS NOT NULL
 AND EXISTS (SELECT 1 FROM sole_owners WHERE member_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'last_owner: an organization keeps at least one registered owner');
END;

CREATE TRIGGER last_owner_is_not_deleted
BEFORE DELETE ON members
WHEN EXISTS (SELECT 1 FROM sole_owners WHERE member_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'last_owner: an organization keeps at least one registered owner');
END;

CREATE TABLE member_organizations (
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    nickname TEXT CHECK (nickname = trim(nickname) AND length(nickname) BETWEEN 1 AND 200),
    invited_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    joined_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (joined_at GLOB '????-??-??T??:??:??.???Z'),
    PRIMARY KEY (member_id, org_id)
) STRICT;
CREATE INDEX idx_member_organizations_org_id ON member_organizations (org_id);
CREATE INDEX idx_member_organizations_member_id ON member_organizations (member_id);
CREATE INDEX idx_member_organizations_invited_by ON member_organizations (invited_by) WHERE invited_by IS NOT NULL;

-- A person without a sign-in address is one choir's own entry.
CREATE TRIGGER roster_person_joins_one_organization
BEFORE INSERT ON member_organizations
WHEN EXISTS (SELECT 1 FROM members WHERE id = NEW.member_id AND email_id IS NULL)
 AND EXISTS (SELECT 1 FROM member_organizations WHERE member_id = NEW.member_id AND org_id <> NEW.org_id)
BEGIN
    SELECT RAISE(ABORT, 'duplicate: a roster-only person belongs to one organization');
END;

CREATE TRIGGER membership_keeps_its_key
BEFORE UPDATE OF member_id, org_id ON member_organizations
WHEN NEW.member_id IS NOT OLD.member_id OR NEW.org_id IS NOT OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a membership is ended and made anew, never moved');
END;

CREATE TRIGGER membership_takes_placements_along
AFTER DELETE ON member_organizations
BEGIN
    DELETE FROM member_voices
     WHERE member_id = OLD.member_id AND voice_id IN (SELECT id FROM voices WHERE org_id = OLD.org_id);
    DELETE FROM member_sections
     WHERE member_id = OLD.member_id AND section_id IN (SELECT id FROM sections WHERE org_id = OLD.org_id);
END;

CREATE TABLE affiliations (
    id TEXT PRIMARY KEY NOT NULL,
    collective_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    umbrella_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    joined_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (joined_at GLOB '????-??-??T??:??:??.???Z'),
    left_at TEXT CHECK (left_at GLOB '????-??-??T??:??:??.???Z' AND left_at >= joined_at),
    UNIQUE (collective_id, umbrella_id, joined_at)
) STRICT;
CREATE UNIQUE INDEX idx_affiliations_active ON affiliations (collective_id, umbrella_id) WHERE left_at IS NULL;
CREATE INDEX idx_affiliations_collective_id ON affiliations (collective_id);
CREATE INDEX idx_affiliations_umbrella_id ON affiliations (umbrella_id);

CREATE TRIGGER affiliation_joins_collective_to_umbrella
BEFORE INSERT ON affiliations
WHEN (SELECT type FROM organizations WHERE id = NEW.collective_id) IS NOT 'collective'
  OR (SELECT type FROM organizations WHERE id = NEW.umbrella_id) IS NOT 'umbrella'
BEGIN
    SELECT RAISE(ABORT, 'wrong_type: an affiliation joins one collective to one umbrella');
END;

CREATE TABLE member_roles (
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'librarian', 'conductor', 'section_leader')),
    granted_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (granted_at GLOB '????-??-??T??:??:??.???Z'),
    granted_by TEXT REFERENCES members (id),
    PRIMARY KEY (member_id, org_id, role),
    -- Roles end with the membership they belong to.
    FOREIGN KEY (member_id, org_id) REFERENCES member_organizations (member_id, org_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX idx_member_roles_org_id ON member_roles (org_id);
CREATE INDEX idx_member_roles_member_id ON member_roles (member_id);
CREATE INDEX idx_member_roles_role ON member_roles (role);
CREATE INDEX idx_member_roles_granted_by ON member_roles (granted_by) WHERE granted_by IS NOT NULL;

-- WHEN the organization still exists: its own deletion takes the owner along.
CREATE TRIGGER last_owner_keeps_the_role
BEFORE DELETE ON member_roles
WHEN OLD.role = 'owner'
 AND EXISTS (SELECT 1 FROM organizations WHERE id = OLD.org_id)
 AND EXISTS (SELECT 1 FROM sole_owners WHERE org_id = OLD.org_id AND member_id = OLD.member_id)
BEGIN
    SELECT RAISE(ABORT, 'last_owner: an organization keeps at least one registered owner');
END;

CREATE TRIGGER role_keeps_its_key
BEFORE UPDATE OF member_id, org_id, role ON member_roles
WHEN OLD.role = 'owner'
 AND (NEW.member_id IS NOT OLD.member_id OR NEW.org_id IS NOT OLD.org_id OR NEW.role IS NOT OLD.role)
 AND EXISTS (SELECT 1 FROM sole_owners WHERE org_id = OLD.org_id AND member_id = OLD.member_id)
BEGIN
    SELECT RAISE(ABORT, 'last_owner: an organization keeps at least one registered owner');
END;

CREATE TRIGGER umbrella_knows_owner_and_admin
BEFORE INSERT ON member_roles
WHEN NEW.role NOT IN ('owner', 'admin')
 AND (SELECT type FROM organizations WHERE id = NEW.org_id) = 'umbrella'
BEGIN
    SELECT RAISE(ABORT, 'umbrella_role: an umbrella grants owner and admin only');
END;

CREATE TRIGGER umbrella_keeps_owner_and_admin
BEFORE UPDATE OF org_id, role ON member_roles
WHEN NEW.role NOT IN ('owner', 'admin')
 AND (SELECT type FROM organizations WHERE id = NEW.org_id) = 'umbrella'
BEGIN
    SELECT RAISE(ABORT, 'umbrella_role: an umbrella grants owner and admin only');
END;

CREATE TABLE voices (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    abbreviation TEXT NOT NULL CHECK (abbreviation = trim(abbreviation) AND length(abbreviation) BETWEEN 1 AND 8),
    category TEXT NOT NULL CHECK (category IN ('vocal', 'instrumental')),
    range_group TEXT CHECK (length(range_group) BETWEEN 1 AND 200),
    display_order INTEGER NOT NULL,
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    UNIQUE (org_id, name)
) STRICT;
CREATE INDEX idx_voices_org_id ON voices (org_id);
CREATE INDEX idx_voices_category ON voices (category);
CREATE INDEX idx_voices_display_order ON voices (display_order);

CREATE TRIGGER voice_keeps_its_organization
BEFORE UPDATE OF org_id ON voices WHEN NEW.org_id IS NOT OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a voice stays in its organization');
END;

CREATE TABLE sections (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    abbreviation TEXT NOT NULL CHECK (abbreviation = trim(abbreviation) AND length(abbreviation) BETWEEN 1 AND 8),
    parent_section_id TEXT REFERENCES sections (id),
    display_order INTEGER NOT NULL,
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    UNIQUE (org_id, name)
) STRICT;
CREATE INDEX idx_sections_org_id ON sections (org_id);
CREATE INDEX idx_sections_display_order ON sections (display_order);
CREATE INDEX idx_sections_parent_section_id ON sections (parent_section_id);

CREATE TRIGGER section_keeps_its_organization
BEFORE UPDATE OF org_id ON sections WHEN NEW.org_id IS NOT OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a section stays in its organization');
END;

CREATE TRIGGER section_parent_is_of_the_same_organization
BEFORE INSERT ON sections
WHEN NEW.parent_section_id IS NOT NULL AND NEW.parent_section_id <> NEW.id
 AND (SELECT org_id FROM sections WHERE id = NEW.parent_section_id) IS NOT NEW.org_id
BEGIN
    SELECT RAISE(ABORT, 'foreign_parent: a section and its parent belong to one organization');
END;

CREATE TRIGGER section_parent_stays_in_the_same_organization
BEFORE UPDATE OF parent_section_id ON sections
WHEN NEW.parent_section_id IS NOT NULL
 AND (SELECT org_id FROM sections WHERE id = NEW.parent_section_id) IS NOT NEW.org_id
BEGIN
    SELECT RAISE(ABORT, 'foreign_parent: a section and its parent belong to one organization');
END;

CREATE TRIGGER section_is_not_its_own_ancestor
AFTER INSERT ON sections
WHEN EXISTS (SELECT 1 FROM section_ancestors WHERE section_id = NEW.id AND ancestor_id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'section_cycle: a section cannot stand below itself');
END;

CREATE TRIGGER section_does_not_become_its_own_ancestor
AFTER UPDATE OF parent_section_id ON sections
WHEN EXISTS (SELECT 1 FROM section_ancestors WHERE section_id = NEW.id AND ancestor_id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'section_cycle: a section cannot stand below itself');
END;

CREATE TABLE member_voices (
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    voice_id TEXT NOT NULL REFERENCES voices (id) ON DELETE CASCADE,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    assigned_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) CHECK (assigned_at GLOB '????-??-??T??:??:??.???Z'),
    assigned_by TEXT REFERENCES members (id),
    notes TEXT CHECK (length(notes) <= 4000),
    PRIMARY KEY (member_id, voice_id)
) STRICT;
CREATE INDEX idx_member_voices_member_id ON member_voices (member_id);
CREATE INDEX idx_member_voices_voice_id ON member_voices (voice_id);
CREATE INDEX idx_member_voices_is_primary ON member_voices (is_primary) WHERE is_primary = 1;
CREATE INDEX idx_member_voices_assigned_by ON member_voices (assigned_by) WHERE assigned_by IS NOT NULL;

CREATE TRIGGER enforce_single_primary_voice
AFTER INSERT ON member_voices
WHEN NEW.is_primary = 1
BEGIN
    UPDATE member_voices SET is_primary = 0
     WHERE member_id = NEW.member_id AND voice_id <> NEW.voice_id AND is_primary = 1
       AND voice_id IN (SELECT id FROM voices WHERE org_id = (SELECT org_id FROM voices WHERE id = NEW.voice_id));
END;

CREATE TRIGGER enforce_single_primary_voice_update
AFTER UPDATE OF is_primary ON member_voices
WHEN NEW.is_primary = 1
BEGIN
    UPDATE member_voices SET is_primary = 0
     WHERE member_id = NEW.member_id AND voice_id <> NEW.voice_id AND is_primary = 1
       AND voice_id IN (SELECT id FROM voices WHERE org_id = (SELECT org_id FROM voices WHERE id = NEW.voice_id));
END;

CREATE TRIGGER voice_is_for_members_of_its_organization
BEFORE INSERT ON member_voices
WHEN NOT EXISTS (
    SELECT 1 FROM voices AS placed JOIN member_organizations AS membership USING (org_id)
     WHERE placed.id = NEW.voice_id AND membership.member_id = NEW.member_id)
BEGIN
    SELECT RAISE(ABORT, 'not_a_member: a voice is held by members of its organization');
END;

CREATE TRIGGER voice_stays_with_members_of_its_organization
BEFORE UPDATE OF member_id, voice_id ON member_voices
WHEN NOT EXISTS (
    SELECT 1 FROM voices AS placed JOIN member_organizations AS membership USING (org_id)
     WHERE placed.id = NEW.voice_id AND membership.member_id = NEW.member_id)
BEGIN
    SELECT RAISE(ABORT, 'not_a_member: a voice is held by members of its organization');
END;

CREATE TABLE member_sections (
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    section_id TEXT NOT NULL REFERENCES sections (id) ON DELETE CASCADE,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    joined_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) CHECK (joined_at GLOB '????-??-??T??:??:??.???Z'),
    assigned_by TEXT REFERENCES members (id),
    notes TEXT CHECK (length(notes) <= 4000),
    PRIMARY KEY (member_id, section_id)
) STRICT;
CREATE INDEX idx_member_sections_member_id ON member_sections (member_id);
CREATE INDEX idx_member_sections_section_id ON member_sections (section_id);
CREATE INDEX idx_member_sections_is_primary ON member_sections (is_primary) WHERE is_primary = 1;
CREATE INDEX idx_member_sections_assigned_by ON member_sections (assigned_by) WHERE assigned_by IS NOT NULL;

CREATE TRIGGER enforce_single_primary_section
AFTER INSERT ON member_sections
WHEN NEW.is_primary = 1
BEGIN
    UPDATE member_sections SET is_primary = 0
     WHERE member_id = NEW.member_id AND section_id <> NEW.section_id AND is_primary = 1
       AND section_id IN (SELECT id FROM sections WHERE org_id = (SELECT org_id FROM sections WHERE id = NEW.section_id));
END;

CREATE TRIGGER enforce_single_primary_section_update
AFTER UPDATE OF is_primary ON member_sections
WHEN NEW.is_primary = 1
BEGIN
    UPDATE member_sections SET is_primary = 0
     WHERE member_id = NEW.member_id AND section_id <> NEW.section_id AND is_primary = 1
       AND section_id IN (SELECT id FROM sections WHERE org_id = (SELECT org_id FROM sections WHERE id = NEW.section_id));
END;

CREATE TRIGGER section_is_for_members_of_its_organization
BEFORE INSERT ON member_sections
WHEN NOT EXISTS (
    SELECT 1 FROM sections AS placed JOIN member_organizations AS membership USING (org_id)
     WHERE placed.id = NEW.section_id AND membership.member_id = NEW.member_id)
BEGIN
    SELECT RAISE(ABORT, 'not_a_member: a section is held by members of its organization');
END;

CREATE TRIGGER section_stays_with_members_of_its_organization
BEFORE UPDATE OF member_id, section_id ON member_sections
WHEN NOT EXISTS (
    SELECT 1 FROM sections AS placed JOIN member_organizations AS membership USING (org_id)
     WHERE placed.id = NEW.section_id AND membership.member_id = NEW.member_id)
BEGIN
    SELECT RAISE(ABORT, 'not_a_member: a section is held by members of its organization');
END;

CREATE TABLE works (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    composer TEXT CHECK (composer = trim(composer) AND length(composer) BETWEEN 1 AND 200),
    lyricist TEXT CHECK (lyricist = trim(lyricist) AND length(lyricist) BETWEEN 1 AND 200),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_works_title ON works (title);
CREATE INDEX idx_works_composer ON works (composer);
CREATE INDEX idx_works_org_id ON works (org_id);

CREATE TRIGGER work_keeps_its_organization
BEFORE UPDATE OF org_id ON works WHEN NEW.org_id IS NOT OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a work stays in its organization');
END;

CREATE TRIGGER work_with_copies_out_is_not_deleted
BEFORE DELETE ON works
WHEN EXISTS (SELECT 1 FROM organizations WHERE id = OLD.org_id)
 AND EXISTS (
    SELECT 1 FROM editions AS e JOIN physical_copies AS c ON c.edition_id = e.id
      JOIN copy_assignments AS a ON a.copy_id = c.id AND a.returned_at IS NULL
     WHERE e.work_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'copy_on_loan: a copy of the work is out; let it be returned first');
END;

CREATE TRIGGER work_with_complaints_is_not_deleted
BEFORE DELETE ON works
WHEN EXISTS (SELECT 1 FROM organizations WHERE id = OLD.org_id)
 AND EXISTS (SELECT 1 FROM takedowns AS t JOIN editions AS e ON e.id = t.edition_id WHERE e.work_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'in_use: a copyright complaint refers to an edition of the work');
END;

CREATE TRIGGER work_is_published_anew AFTER UPDATE OF title, composer, lyricist ON works
WHEN EXISTS (SELECT 1 FROM editions
              WHERE work_id = NEW.id AND license_type = 'public_domain' AND deleted_at IS NULL)
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

-- One organization's works page by page, in the order of their ids.
CREATE INDEX idx_works_org_id_id ON works (org_id, id);

CREATE TABLE editions (
    id TEXT PRIMARY KEY NOT NULL,
    work_id TEXT NOT NULL REFERENCES works (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    arranger TEXT CHECK (arranger = trim(arranger) AND length(arranger) BETWEEN 1 AND 200),
    publisher TEXT CHECK (publisher = trim(publisher) AND length(publisher) BETWEEN 1 AND 200),
    voicing TEXT CHECK (voicing = trim(voicing) AND length(voicing) BETWEEN 1 AND 200),
    edition_type TEXT NOT NULL DEFAULT 'vocal_score' CHECK (edition_type IN
        ('full_score', 'vocal_score', 'part', 'reduction', 'audio', 'video', 'supplementary')),
    license_type TEXT NOT NULL DEFAULT 'owned' CHECK (license_type IN ('public_domain', 'licensed', 'owned')),
    notes TEXT CHECK (length(notes) <= 4000),
    external_url TEXT CHECK (length(external_url) <= 2000
        AND (lower(external_url) GLOB 'http://?*' OR lower(external_url) GLOB 'https://?*')),
    file_key TEXT CHECK (file_key = id),
    file_name TEXT,
    file_size INTEGER CHECK (file_size > 0),
    file_uploaded_at TEXT CHECK (file_uploaded_at GLOB '????-??-??T??:??:??.???Z'),
    file_uploaded_by TEXT REFERENCES members (id),
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z'),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_editions_work_id ON editions (work_id);
CREATE INDEX idx_editions_edition_type ON editions (edition_type);
CREATE INDEX idx_editions_file_uploaded_by ON editions (file_uploaded_by) WHERE file_uploaded_by IS NOT NULL;

CREATE TRIGGER edition_keeps_its_work
BEFORE UPDATE OF work_id ON editions WHEN NEW.work_id IS NOT OLD.work_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: an edition stays with its work');
END;

CREATE TRIGGER edition_with_copies_out_is_not_deleted
BEFORE DELETE ON editions
WHEN EXISTS (SELECT 1 FROM works WHERE id = OLD.work_id)
 AND EXISTS (
    SELECT 1 FROM physical_copies AS c JOIN copy_assignments AS a ON a.copy_id = c.id AND a.returned_at IS NULL
     WHERE c.edition_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'copy_on_loan: a copy of the edition is out; let it be returned first');
END;

CREATE TRIGGER edition_stays_taken_down
BEFORE UPDATE OF deleted_at ON editions WHEN OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'immutable: what was taken down is not put back; make a new edition');
END;

CREATE TRIGGER edition_with_complaints_is_not_deleted
BEFORE DELETE ON editions
WHEN EXISTS (SELECT 1 FROM works WHERE id = OLD.work_id)
 AND EXISTS (SELECT 1 FROM takedowns WHERE edition_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'in_use: a copyright complaint refers to the edition');
END;

CREATE TRIGGER edition_is_published AFTER INSERT ON editions
WHEN NEW.license_type = 'public_domain' AND NEW.deleted_at IS NULL
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

CREATE TRIGGER edition_is_published_anew
AFTER UPDATE OF name, arranger, publisher, voicing, edition_type, license_type, notes, external_url, deleted_at
ON editions
WHEN (OLD.license_type = 'public_domain' AND OLD.deleted_at IS NULL)
  OR (NEW.license_type = 'public_domain' AND NEW.deleted_at IS NULL)
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

CREATE TRIGGER edition_is_published_no_more AFTER DELETE ON editions
WHEN OLD.license_type = 'public_domain' AND OLD.deleted_at IS NULL
BEGIN
    UPDATE vaultry_publication SET mark = hex(randomblob(8));
END;

-- Guests see the works of which an edition is free: found from either side without reading other editions.
CREATE INDEX idx_editions_free ON editions (work_id) WHERE license_type = 'public_domain' AND deleted_at IS NULL;

CREATE TABLE edition_sections (
    edition_id TEXT NOT NULL REFERENCES editions (id) ON DELETE CASCADE,
    section_id TEXT NOT NULL REFERENCES sections (id) ON DELETE CASCADE,
    PRIMARY KEY (edition_id, section_id)
) STRICT;
CREATE INDEX idx_edition_sections_section_id ON edition_sections (section_id);

CREATE TRIGGER edition_is_for_sections_of_its_organization
BEFORE INSERT ON edition_sections
WHEN (SELECT org_id FROM sections WHERE id = NEW.section_id)
    IS NOT (SELECT org_id FROM works WHERE id = (SELECT work_id FROM editions WHERE id = NEW.edition_id))
BEGIN
    SELECT RAISE(ABORT, 'foreign_section: an edition lists sections of its own organization');
END;

CREATE TRIGGER edition_stays_with_sections_of_its_organization
BEFORE UPDATE ON edition_sections
WHEN (SELECT org_id FROM sections WHERE id = NEW.section_id)
    IS NOT (SELECT org_id FROM works WHERE id = (SELECT work_id FROM editions WHERE id = NEW.edition_id))
BEGIN
    SELECT RAISE(ABORT, 'foreign_section: an edition lists sections of its own organization');
END;

CREATE TABLE invites (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    token TEXT NOT NULL UNIQUE CHECK (length(token) = 64 AND token NOT GLOB '*[^0-9a-f]*'),
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    roster_member_id TEXT REFERENCES members (id),
    invited_by TEXT NOT NULL REFERENCES members (id),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    expires_at TEXT NOT NULL CHECK (expires_at GLOB '????-??-??T??:??:??.???Z' AND expires_at > created_at)
) STRICT;
CREATE INDEX idx_invites_org_id ON invites (org_id);
CREATE INDEX idx_invites_invited_by ON invites (invited_by);

-- One invitation per person: an expired one is replaced, never kept beside the new one.
CREATE UNIQUE INDEX idx_invites_roster_member_id ON invites (roster_member_id) WHERE roster_member_id IS NOT NULL;

CREATE TABLE invite_voices (
    invite_id TEXT NOT NULL REFERENCES invites (id) ON DELETE CASCADE,
    voice_id TEXT NOT NULL REFERENCES voices (id) ON DELETE CASCADE,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    PRIMARY KEY (invite_id, voice_id)
) STRICT;
CREATE INDEX idx_invite_voices_invite_id ON invite_voices (invite_id);
CREATE INDEX idx_invite_voices_voice_id ON invite_voices (voice_id);

CREATE TRIGGER invite_names_voices_of_its_organization
BEFORE INSERT ON invite_voices
WHEN (SELECT org_id FROM voices WHERE id = NEW.voice_id) IS NOT (SELECT org_id FROM invites WHERE id = NEW.invite_id)
BEGIN
    SELECT RAISE(ABORT, 'foreign_voice: an invitation names voices of its own organization');
END;

CREATE TABLE invite_sections (
    invite_id TEXT NOT NULL REFERENCES invites (id) ON DELETE CASCADE,
    section_id TEXT NOT NULL REFERENCES sections (id) ON DELETE CASCADE,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    PRIMARY KEY (invite_id, section_id)
) STRICT;
CREATE INDEX idx_invite_sections_invite_id ON invite_sections (invite_id);
CREATE INDEX idx_invite_sections_section_id ON invite_sections (section_id);

CREATE TRIGGER invite_names_sections_of_its_organization
BEFORE INSERT ON invite_sections
WHEN (SELECT org_id FROM sections WHERE id = NEW.section_id) IS NOT (SELECT org_id FROM invites WHERE id = NEW.invite_id)
BEGIN
    SELECT RAISE(ABORT, 'foreign_section: an invitation names sections of its own organization');
END;

CREATE TABLE vault_settings (
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    value TEXT NOT NULL CHECK (length(value) <= 4000),
    updated_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    PRIMARY KEY (org_id, key)
) STRICT;
CREATE INDEX idx_vault_settings_updated_by ON vault_settings (updated_by) WHERE updated_by IS NOT NULL;

CREATE TABLE member_preferences (
    member_id TEXT PRIMARY KEY NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    language TEXT CHECK (length(language) <= 35),
    locale TEXT CHECK (length(locale) <= 35),
    timezone TEXT CHECK (length(timezone) <= 64),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

CREATE TABLE seasons (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    -- A modifier makes date() work out the day: 2026-02-30 comes back as another one.
    start_date TEXT NOT NULL CHECK (start_date IS date(start_date, '+0 days')),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    UNIQUE (org_id, start_date)
) STRICT;
CREATE INDEX idx_seasons_start_date ON seasons (start_date);
CREATE INDEX idx_seasons_org_id ON seasons (org_id);

CREATE TRIGGER season_keeps_its_organization
BEFORE UPDATE OF org_id ON seasons WHEN NEW.org_id IS NOT OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a season stays in its organization');
END;

CREATE TABLE season_works (
    id TEXT PRIMARY KEY NOT NULL,
    season_id TEXT NOT NULL REFERENCES seasons (id) ON DELETE CASCADE,
    work_id TEXT NOT NULL REFERENCES works (id) ON DELETE CASCADE,
    display_order INTEGER NOT NULL DEFAULT 0,
    notes TEXT CHECK (length(notes) <= 4000),
    added_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (added_at GLOB '????-??-??T??:??:??.???Z'),
    added_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    UNIQUE (season_id, work_id)
) STRICT;
CREATE INDEX idx_season_works_season_id_display_order ON season_works (season_id, display_order);
CREATE INDEX idx_season_works_work_id ON season_works (work_id);
CREATE INDEX idx_season_works_added_by ON season_works (added_by) WHERE added_by IS NOT NULL;

CREATE TRIGGER season_plans_works_of_its_organization
BEFORE INSERT ON season_works
WHEN (SELECT org_id FROM works WHERE id = NEW.work_id) IS NOT (SELECT org_id FROM seasons WHERE id = NEW.season_id)
BEGIN
    SELECT RAISE(ABORT, 'foreign_work: a season plans works of its own organization');
END;

CREATE TRIGGER season_work_keeps_its_key
BEFORE UPDATE OF season_id, work_id ON season_works
WHEN NEW.season_id IS NOT OLD.season_id OR NEW.work_id IS NOT OLD.work_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a work is taken out of a season and added anew, never moved');
END;

CREATE TABLE season_work_editions (
    id TEXT PRIMARY KEY NOT NULL,
    season_work_id TEXT NOT NULL REFERENCES season_works (id) ON DELETE CASCADE,
    edition_id TEXT NOT NULL REFERENCES editions (id) ON DELETE CASCADE,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    notes TEXT CHECK (length(notes) <= 4000),
    added_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (added_at GLOB '????-??-??T??:??:??.???Z'),
    added_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    UNIQUE (season_work_id, edition_id)
) STRICT;
CREATE INDEX idx_season_work_editions_season_work_id ON season_work_editions (season_work_id);
CREATE INDEX idx_season_work_editions_edition_id ON season_work_editions (edition_id);
CREATE INDEX idx_season_work_editions_added_by ON season_work_editions (added_by) WHERE added_by IS NOT NULL;
CREATE UNIQUE INDEX idx_season_work_editions_primary ON season_work_editions (season_work_id) WHERE is_primary = 1;

CREATE TRIGGER season_work_picks_editions_of_its_work
BEFORE INSERT ON season_work_editions
WHEN (SELECT work_id FROM editions WHERE id = NEW.edition_id)
    IS NOT (SELECT work_id FROM season_works WHERE id = NEW.season_work_id)
BEGIN
    SELECT RAISE(ABORT, 'foreign_edition: an edition is picked for its own work');
END;

CREATE TRIGGER season_pick_keeps_its_key
BEFORE UPDATE OF season_work_id, edition_id ON season_work_editions
WHEN NEW.season_work_id IS NOT OLD.season_work_id OR NEW.edition_id IS NOT OLD.edition_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a pick is dropped and made anew, never moved');
END;

CREATE TABLE events (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    description TEXT CHECK (length(description) <= 4000),
    location TEXT CHECK (location = trim(location) AND length(location) BETWEEN 1 AND 200),
    starts_at TEXT NOT NULL CHECK (starts_at GLOB '????-??-??T??:??:??.???Z'),
    ends_at TEXT CHECK (ends_at GLOB '????-??-??T??:??:??.???Z' AND ends_at >= starts_at),
    event_type TEXT NOT NULL CHECK (event_type IN ('rehearsal', 'concert', 'retreat', 'festival')),
    created_by TEXT REFERENCES members (id),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_events_starts_at ON events (starts_at);
CREATE INDEX idx_events_event_type ON events (event_type);
CREATE INDEX idx_events_org_id ON events (org_id);

-- One organization's events between two moments: every list, season and roster.
CREATE INDEX idx_events_org_id_starts_at ON events (org_id, starts_at);
CREATE INDEX idx_events_created_by ON events (created_by) WHERE created_by IS NOT NULL;

CREATE TRIGGER event_keeps_its_organization
BEFORE UPDATE OF org_id ON events WHEN NEW.org_id IS NOT OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: an event stays in its organization');
END;

CREATE TABLE event_works (
    id TEXT PRIMARY KEY NOT NULL,
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    work_id TEXT NOT NULL REFERENCES works (id) ON DELETE CASCADE,
    display_order INTEGER NOT NULL DEFAULT 0,
    notes TEXT CHECK (length(notes) <= 4000),
    added_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (added_at GLOB '????-??-??T??:??:??.???Z'),
    added_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    UNIQUE (event_id, work_id)
) STRICT;
CREATE INDEX idx_event_works_event_id_display_order ON event_works (event_id, display_order);
CREATE INDEX idx_event_works_work_id ON event_works (work_id);
CREATE INDEX idx_event_works_added_by ON event_works (added_by) WHERE added_by IS NOT NULL;

CREATE TRIGGER event_plans_works_of_its_organization
BEFORE INSERT ON event_works
WHEN (SELECT org_id FROM works WHERE id = NEW.work_id) IS NOT (SELECT org_id FROM events WHERE id = NEW.event_id)
BEGIN
    SELECT RAISE(ABORT, 'foreign_work: an event plans works of its own organization');
END;

CREATE TRIGGER event_work_keeps_its_key
BEFORE UPDATE OF event_id, work_id ON event_works
WHEN NEW.event_id IS NOT OLD.event_id OR NEW.work_id IS NOT OLD.work_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a work is taken out of an event and added anew, never moved');
END;

CREATE TABLE event_work_editions (
    id TEXT PRIMARY KEY NOT NULL,
    event_work_id TEXT NOT NULL REFERENCES event_works (id) ON DELETE CASCADE,
    edition_id TEXT NOT NULL REFERENCES editions (id) ON DELETE CASCADE,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    notes TEXT CHECK (length(notes) <= 4000),
    added_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (added_at GLOB '????-??-??T??:??:??.???Z'),
    added_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    UNIQUE (event_work_id, edition_id)
) STRICT;
CREATE INDEX idx_event_work_editions_event_work_id ON event_work_editions (event_work_id);
CREATE INDEX idx_event_work_editions_edition_id ON event_work_editions (edition_id);
CREATE INDEX idx_event_work_editions_added_by ON event_work_editions (added_by) WHERE added_by IS NOT NULL;
CREATE UNIQUE INDEX idx_event_work_editions_primary ON event_work_editions (event_work_id) WHERE is_primary = 1;

CREATE TRIGGER event_work_picks_editions_of_its_work
BEFORE INSERT ON event_work_editions
WHEN (SELECT work_id FROM editions WHERE id = NEW.edition_id)
    IS NOT (SELECT work_id FROM event_works WHERE id = NEW.event_work_id)
BEGIN
    SELECT RAISE(ABORT, 'foreign_edition: an edition is picked for its own work');
END;

CREATE TRIGGER event_pick_keeps_its_key
BEFORE UPDATE OF event_work_id, edition_id ON event_work_editions
WHEN NEW.event_work_id IS NOT OLD.event_work_id OR NEW.edition_id IS NOT OLD.edition_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a pick is dropped and made anew, never moved');
END;

CREATE TABLE participation (
    id TEXT PRIMARY KEY NOT NULL,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    planned_status TEXT CHECK (planned_status IN ('yes', 'no', 'maybe', 'late')),
    planned_at TEXT CHECK (planned_at GLOB '????-??-??T??:??:??.???Z'),
    planned_notes TEXT CHECK (length(planned_notes) <= 4000),
    actual_status TEXT CHECK (actual_status IN ('present', 'absent', 'late')),
    recorded_at TEXT CHECK (recorded_at GLOB '????-??-??T??:??:??.???Z'),
    recorded_by TEXT REFERENCES members (id),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    UNIQUE (member_id, event_id),
    CHECK ((planned_status IS NULL) = (planned_at IS NULL)),
    CHECK (planned_notes IS NULL OR planned_status IS NOT NULL),
    CHECK ((actual_status IS NULL) = (recorded_at IS NULL)),
    CHECK (recorded_by IS NULL OR actual_status IS NOT NULL)
) STRICT;
CREATE INDEX idx_participation_member_id ON participation (member_id);
CREATE INDEX idx_participation_event_id ON participation (event_id);
CREATE INDEX idx_participation_planned_status ON participation (planned_status);
CREATE INDEX idx_participation_actual_status ON participation (actual_status);
CREATE INDEX idx_participation_recorded_by ON participation (recorded_by) WHERE recorded_by IS NOT NULL;

-- Whose event it is, or who is actively affiliated to whose it is. What is recorded stays when somebody leaves.
CREATE TRIGGER participation_is_for_members
BEFORE INSERT ON participation
WHEN NOT EXISTS (
    SELECT 1 FROM events AS e JOIN member_organizations AS membership ON membership.member_id = NEW.member_id
     WHERE e.id = NEW.event_id
       AND (membership.org_id = e.org_id OR EXISTS (
            SELECT 1 FROM affiliations AS a
             WHERE a.collective_id = membership.org_id AND a.umbrella_id = e.org_id AND a.left_at IS NULL)))
BEGIN
    SELECT RAISE(ABORT, 'not_a_member: only members of the organization, or of its affiliates, take part in an event');
END;

CREATE TRIGGER participation_keeps_its_event
BEFORE UPDATE OF event_id ON participation WHEN NEW.event_id IS NOT OLD.event_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: what is recorded for one event is never moved to another');
END;

CREATE TABLE physical_copies (
    id TEXT PRIMARY KEY NOT NULL,
    edition_id TEXT NOT NULL REFERENCES editions (id) ON DELETE CASCADE,
    copy_number TEXT NOT NULL CHECK (copy_number = trim(copy_number) AND length(copy_number) BETWEEN 1 AND 200),
    condition TEXT NOT NULL DEFAULT 'good' CHECK (condition IN ('good', 'fair', 'poor', 'lost')),
    -- The modifier makes SQLite compute the day; without one it hands 30 February back as it came.
    acquired_at TEXT CHECK (acquired_at IS date(acquired_at, '+0 days')),
    notes TEXT CHECK (length(notes) <= 4000),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    UNIQUE (edition_id, copy_number)
) STRICT;
CREATE INDEX idx_physical_copies_edition_id ON physical_copies (edition_id);
CREATE INDEX idx_physical_copies_condition ON physical_copies (condition);

CREATE TRIGGER copy_keeps_its_edition_and_number
BEFORE UPDATE OF edition_id, copy_number ON physical_copies
WHEN NEW.edition_id IS NOT OLD.edition_id OR NEW.copy_number IS NOT OLD.copy_number
BEGIN
    SELECT RAISE(ABORT, 'immutable: a copy keeps its edition and its number');
END;

-- WHEN what it belongs to still exists: a whole organization may go with everything in it. Its parts go one by one
-- only while nothing is out.
CREATE TRIGGER copy_that_is_out_is_not_deleted
BEFORE DELETE ON physical_copies
WHEN EXISTS (SELECT 1 FROM editions WHERE id = OLD.edition_id)
 AND EXISTS (SELECT 1 FROM copy_assignments WHERE copy_id = OLD.id AND returned_at IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'copy_on_loan: the copy is out; let it be returned first');
END;

-- Loans, open and closed. They outlive a membership: what somebody took along is asked back.
CREATE TABLE copy_assignments (
    id TEXT PRIMARY KEY NOT NULL,
    copy_id TEXT NOT NULL REFERENCES physical_copies (id) ON DELETE CASCADE,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    assigned_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (assigned_at GLOB '????-??-??T??:??:??.???Z'),
    assigned_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    returned_at TEXT CHECK (returned_at GLOB '????-??-??T??:??:??.???Z'),
    notes TEXT CHECK (length(notes) <= 4000),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE UNIQUE INDEX idx_copy_assignments_active ON copy_assignments (copy_id) WHERE returned_at IS NULL;
CREATE INDEX idx_copy_assignments_copy_id ON copy_assignments (copy_id);
CREATE INDEX idx_copy_assignments_member_id ON copy_assignments (member_id);
CREATE INDEX idx_copy_assignments_assigned_by ON copy_assignments (assigned_by) WHERE assigned_by IS NOT NULL;

CREATE TRIGGER loan_keeps_its_copy
BEFORE UPDATE OF copy_id ON copy_assignments WHEN NEW.copy_id IS NOT OLD.copy_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a loan stays with its copy');
END;

CREATE TRIGGER lost_copy_is_not_lent
BEFORE INSERT ON copy_assignments
WHEN NEW.returned_at IS NULL AND (SELECT condition FROM physical_copies WHERE id = NEW.copy_id) = 'lost'
BEGIN
    SELECT RAISE(ABORT, 'copy_lost: a lost copy cannot be lent');
END;

CREATE TRIGGER copy_is_lent_to_members_of_its_organization
BEFORE INSERT ON copy_assignments
WHEN NOT EXISTS (
    SELECT 1 FROM physical_copies AS c JOIN editions AS e ON e.id = c.edition_id JOIN works AS w ON w.id = e.work_id
      JOIN member_organizations AS o ON o.org_id = w.org_id AND o.member_id = NEW.member_id
     WHERE c.id = NEW.copy_id)
BEGIN
    SELECT RAISE(ABORT, 'not_a_member: a copy is lent to members of its organization');
END;

CREATE TABLE takedowns (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    -- Not RESTRICT: with its organization both sides go in one step; an edition alone has to stay.
    edition_id TEXT NOT NULL REFERENCES editions (id),
    claimant_name TEXT NOT NULL,
    claimant_email TEXT NOT NULL,
    reason TEXT NOT NULL CHECK (length(reason) BETWEEN 1 AND 4000),
    attestation INTEGER NOT NULL DEFAULT 0 CHECK (attestation IN (0, 1)),
    status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected')),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    processed_at TEXT CHECK (processed_at GLOB '????-??-??T??:??:??.???Z'),
    processed_by TEXT REFERENCES members (id),
    resolution_notes TEXT CHECK (length(resolution_notes) <= 4000),
    CHECK ((status = 'pending') = (processed_at IS NULL))
) STRICT;
CREATE INDEX idx_takedowns_edition_id ON takedowns (edition_id);
CREATE INDEX idx_takedowns_org_id ON takedowns (org_id);
CREATE INDEX idx_takedowns_status ON takedowns (status);
CREATE INDEX idx_takedowns_created_at ON takedowns (created_at DESC);
CREATE INDEX idx_takedowns_processed_by ON takedowns (processed_by) WHERE processed_by IS NOT NULL;

CREATE TRIGGER complaint_is_about_an_edition_of_its_organization
BEFORE INSERT ON takedowns
WHEN (SELECT w.org_id FROM editions AS e JOIN works AS w ON w.id = e.work_id WHERE e.id = NEW.edition_id)
    IS NOT NEW.org_id
BEGIN
    SELECT RAISE(ABORT, 'foreign_edition: a complaint is about an edition of its own organization');
END;

CREATE TRIGGER complaint_is_processed_once
BEFORE UPDATE OF status ON takedowns WHEN OLD.status <> 'pending' AND NEW.status IS NOT OLD.status
BEGIN
    SELECT RAISE(ABORT, 'already_processed: the complaint was processed before');
END;

CREATE VIEW registered_owners (org_id, member_id) AS
SELECT r.org_id, r.member_id
  FROM member_roles AS r JOIN members AS m ON m.id = r.member_id
 WHERE r.role = 'owner' AND m.email_id IS NOT NULL;

CREATE VIEW sole_owners (org_id, member_id) AS
SELECT org_id, min(member_id) FROM registered_owners GROUP BY org_id HAVING count(*) = 1;

-- A view, because a trigger may not hold a WITH RECURSIVE of its own. UNION ends the walk in a cycle.
CREATE VIEW section_ancestors (section_id, ancestor_id) AS
WITH RECURSIVE above (section_id, ancestor_id) AS (
    SELECT id, parent_section_id FROM sections WHERE parent_section_id IS NOT NULL
    UNION
    SELECT above.section_id, sections.parent_section_id
      FROM above JOIN sections ON sections.id = above.ancestor_id
     WHERE sections.parent_section_id IS NOT NULL
)
SELECT section_id, ancestor_id FROM above;

CREATE VIEW principals (id, email, name, active) AS
SELECT m.id, m.email_id_lookup, m.name,
       EXISTS (SELECT 1 FROM member_organizations AS o WHERE o.member_id = m.id)
  FROM members AS m
 WHERE m.email_id IS NOT NULL;

-- The permission matrix: which roles hold a permission in a collective, and which in an umbrella (there on its own
-- material only). Every name stands between blanks. 'member' is no stored role: every registered member holds it.
CREATE VIEW permission_matrix (permission, collective, umbrella) AS
VALUES
    ('member',            ' member ',                                              ' member '),
    ('owner',             ' owner ',                                               ' owner '),
    ('desk:admin',        ' owner admin ',                                         ' owner admin '),
    ('desk:librarian',    ' owner admin librarian ',                               ' owner admin '),
    ('desk:repertoire',   ' owner admin librarian conductor ',                     ' owner admin '),
    ('scores:view',       ' owner admin librarian conductor section_leader member ', ' owner admin member '),
    ('scores:download',   ' owner admin librarian conductor section_leader member ', ' owner admin member '),
    ('scores:upload',     ' librarian ',                                           ' owner admin '),
    ('scores:delete',     ' librarian ',                                           ' owner admin '),
    ('members:invite',    ' owner admin ',                                         ' owner admin '),
    ('members:manage',    ' owner admin ',                                         ' owner admin '),
    ('vault:delete',      ' owner ',                                               ' owner '),
    ('federation:manage', ' owner ',                                               ' owner '),
    ('events:create',     ' conductor ',                                           ' owner admin '),
    ('events:manage',     ' conductor ',                                           ' owner admin '),
    ('events:delete',     ' conductor ',                                           ' owner admin '),
    ('attendance:record', ' conductor section_leader ',                            ''),
    ('takedowns:process', ' owner admin ',                                         ' owner admin ');

-- The union of all roles held in the organization. Without a sign-in address there is no grant, whatever is stored.
CREATE VIEW grants (principal_id, permission, scope) AS
SELECT membership.member_id, matrix.permission, membership.org_id
  FROM member_organizations AS membership
  JOIN members AS m ON m.id = membership.member_id AND m.email_id IS NOT NULL
  JOIN organizations AS o ON o.id = membership.org_id
  JOIN permission_matrix AS matrix
 WHERE instr(iif(o.type = 'umbrella', matrix.umbrella, matrix.collective), ' member ')
    OR EXISTS (
        SELECT 1 FROM member_roles AS r
         WHERE r.member_id = membership.member_id AND r.org_id = membership.org_id
           AND instr(iif(o.type = 'umbrella', matrix.umbrella, matrix.collective), ' ' || r.role || ' '));


-- =====================================================================================================================
-- Charter band: band/0001_users_and_roles to band/0014_rights_of_one_user
-- =====================================================================================================================

-- email holds ciphertext; email_hash is the keyed hash of the normalised address.
CREATE TABLE users (
    id TEXT PRIMARY KEY NOT NULL,
    email TEXT NOT NULL,
    email_hash TEXT NOT NULL UNIQUE,
    email_verified TEXT CHECK (email_verified GLOB '????-??-??T??:??:??.???Z'),
    name TEXT CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    image TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_users_deleted_at ON users (deleted_at);

CREATE TABLE roles (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 60) UNIQUE,
    display_name TEXT NOT NULL CHECK (display_name = trim(display_name) AND length(display_name) BETWEEN 1 AND 100),
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 500),
    type TEXT NOT NULL
        CHECK (type IN
            ('SUPER_ADMIN', 'ADMIN', 'DIRECTOR', 'STAFF', 'SECTION_LEADER', 'LIBRARIAN', 'MUSICIAN', 'PUBLIC')),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_roles_type ON roles (type);

-- assigned_by may outlive the user it names.
CREATE TABLE user_roles (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    assigned_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (assigned_at GLOB '????-??-??T??:??:??.???Z'),
    assigned_by TEXT,
    expires_at TEXT CHECK (expires_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE UNIQUE INDEX idx_user_roles_user_role ON user_roles (user_id, role_id);
CREATE INDEX idx_user_roles_user_id ON user_roles (user_id);
CREATE INDEX idx_user_roles_role_id ON user_roles (role_id);

CREATE TABLE permissions (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE CHECK (name NOT GLOB '*[^a-z._]*' AND name GLOB '[a-z]*.[a-z]*'),
    resource TEXT NOT NULL CHECK (resource = trim(resource) AND length(resource) BETWEEN 1 AND 60),
    action TEXT NOT NULL CHECK (action = trim(action) AND length(action) BETWEEN 1 AND 60),
    scope TEXT CHECK (scope IN ('all', 'assigned', 'own', 'section', 'public')),
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 500),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_permissions_resource_action ON permissions (resource, action);

CREATE TABLE role_permissions (
    id TEXT PRIMARY KEY NOT NULL,
    role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    permission_id TEXT NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    UNIQUE (role_id, permission_id)
) STRICT;
CREATE INDEX idx_role_permissions_role_id ON role_permissions (role_id);
CREATE INDEX idx_role_permissions_permission_id ON role_permissions (permission_id);

-- email, phone and the emergency columns hold ciphertext. leave_date ends the membership; a leave of absence has none.
CREATE TABLE members (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE SET NULL UNIQUE,
    first_name TEXT NOT NULL CHECK (first_name = trim(first_name) AND length(first_name) BETWEEN 1 AND 100),
    last_name TEXT NOT NULL CHECK (last_name = trim(last_name) AND length(last_name) BETWEEN 1 AND 100),
    email TEXT,
    email_hash TEXT,
    phone TEXT,
    profile_photo TEXT,
    status TEXT NOT NULL DEFAULT 'PENDING'
        CHECK (status IN ('ACTIVE', 'INACTIVE', 'LEAVE_OF_ABSENCE', 'ALUMNI', 'AUDITION', 'PENDING')),
    join_date TEXT CHECK (join_date GLOB '????-??-??T??:??:??.???Z'),
    leave_date TEXT CHECK (leave_date GLOB '????-??-??T??:??:??.???Z'),
    emergency_name TEXT,
    emergency_phone TEXT,
    emergency_email TEXT,
    notes TEXT CHECK (notes = trim(notes) AND length(notes) BETWEEN 1 AND 4000),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK (leave_date IS NULL OR join_date IS NULL OR leave_date >= join_date),
    CHECK ((email IS NULL) = (email_hash IS NULL))
) STRICT;
CREATE INDEX idx_members_any_status ON members (status);
CREATE INDEX idx_members_status ON members (status) WHERE deleted_at IS NULL;
CREATE INDEX idx_members_last_name_first_name ON members (last_name, first_name);
CREATE INDEX idx_members_deleted_at ON members (deleted_at);
CREATE INDEX idx_members_email_hash ON members (email_hash);

CREATE TABLE instruments (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 100) UNIQUE,
    family TEXT NOT NULL CHECK (family IN ('Woodwind', 'Brass', 'Percussion', 'String', 'Keyboard')),
    sort_order INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_instruments_family ON instruments (family);
CREATE INDEX idx_instruments_sort_order ON instruments (sort_order);

CREATE TRIGGER instrument_in_use_stays
BEFORE DELETE ON instruments
WHEN EXISTS (SELECT 1 FROM member_instruments WHERE instrument_id = OLD.id)
  OR EXISTS (SELECT 1 FROM music_parts WHERE instrument_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'in_use: a member plays the instrument, or a part is written for it');
END;

CREATE TABLE member_instruments (
    id TEXT PRIMARY KEY NOT NULL,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    instrument_id TEXT NOT NULL REFERENCES instruments (id) ON DELETE RESTRICT,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    UNIQUE (member_id, instrument_id)
) STRICT;
CREATE INDEX idx_member_instruments_member_id ON member_instruments (member_id);
CREATE INDEX idx_member_instruments_instrument_id ON member_instruments (instrument_id);
CREATE UNIQUE INDEX idx_member_instruments_primary ON member_instruments (member_id) WHERE is_primary = 1;

CREATE TABLE sections (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 100) UNIQUE,
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 500),
    sort_order INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_sections_sort_order ON sections (sort_order);

CREATE TRIGGER section_in_use_stays
BEFORE DELETE ON sections
WHEN EXISTS (SELECT 1 FROM member_sections WHERE section_id = OLD.id)
  OR EXISTS (SELECT 1 FROM event_notes WHERE target_section = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'in_use: a member sits in the section, or a note is meant for it');
END;

CREATE TABLE member_sections (
    id TEXT PRIMARY KEY NOT NULL,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    section_id TEXT NOT NULL REFERENCES sections (id) ON DELETE RESTRICT,
    is_leader INTEGER NOT NULL DEFAULT 0 CHECK (is_leader IN (0, 1)),
    assigned_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (assigned_at GLOB '????-??-??T??:??:??.???Z'),
    UNIQUE (member_id, section_id)
) STRICT;
CREATE INDEX idx_member_sections_member_id ON member_sections (member_id);
CREATE INDEX idx_member_sections_section_id ON member_sections (section_id);

CREATE TABLE persons (
    id TEXT PRIMARY KEY NOT NULL,
    first_name TEXT NOT NULL CHECK (first_name = trim(first_name) AND length(first_name) <= 100),
    last_name TEXT NOT NULL CHECK (last_name = trim(last_name) AND length(last_name) BETWEEN 1 AND 100),
    full_name TEXT NOT NULL
        CHECK (full_name = CASE WHEN first_name = '' THEN last_name ELSE last_name || ', ' || first_name END),
    bio TEXT CHECK (bio = trim(bio) AND length(bio) BETWEEN 1 AND 4000),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_persons_last_name_first_name ON persons (last_name, first_name);
CREATE INDEX idx_persons_full_name ON persons (full_name COLLATE NOCASE);

CREATE TABLE publishers (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200) UNIQUE,
    website TEXT,
    contact_info TEXT CHECK (contact_info = trim(contact_info) AND length(contact_info) BETWEEN 1 AND 1000),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

CREATE TABLE music_pieces (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    subtitle TEXT CHECK (subtitle = trim(subtitle) AND length(subtitle) BETWEEN 1 AND 200),
    composer_id TEXT REFERENCES persons (id) ON DELETE SET NULL,
    arranger_id TEXT REFERENCES persons (id) ON DELETE SET NULL,
    publisher_id TEXT REFERENCES publishers (id) ON DELETE SET NULL,
    difficulty TEXT CHECK (difficulty IN ('GRADE_1', 'GRADE_2', 'GRADE_3', 'GRADE_4', 'GRADE_5', 'GRADE_6')),
    duration INTEGER CHECK (duration > 0),
    genre TEXT CHECK (genre = trim(genre) AND length(genre) BETWEEN 1 AND 100),
    style TEXT CHECK (style = trim(style) AND length(style) BETWEEN 1 AND 100),
    instrumentation TEXT CHECK (instrumentation = trim(instrumentation) AND length(instrumentation) BETWEEN 1 AND 2000),
    tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags) AND json_type(tags) = 'array'),
    catalog_number TEXT
        CHECK (catalog_number = trim(catalog_number) AND length(catalog_number) BETWEEN 1 AND 100) UNIQUE,
    notes TEXT CHECK (notes = trim(notes) AND length(notes) BETWEEN 1 AND 4000),
    performance_history TEXT
        CHECK (performance_history = trim(performance_history) AND length(performance_history) BETWEEN 1 AND 4000),
    is_archived INTEGER NOT NULL DEFAULT 0 CHECK (is_archived IN (0, 1)),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_music_pieces_title ON music_pieces (title);
CREATE INDEX idx_music_pieces_composer_id ON music_pieces (composer_id);
CREATE INDEX idx_music_pieces_difficulty ON music_pieces (difficulty);
CREATE INDEX idx_music_pieces_is_archived ON music_pieces (is_archived);
CREATE INDEX idx_music_pieces_deleted_at ON music_pieces (deleted_at);
CREATE INDEX idx_music_pieces_arranger_id ON music_pieces (arranger_id) WHERE arranger_id IS NOT NULL;
CREATE INDEX idx_music_pieces_publisher_id ON music_pieces (publisher_id) WHERE publisher_id IS NOT NULL;

CREATE TRIGGER music_pieces_fts_follows_insert AFTER INSERT ON music_pieces
BEGIN
    INSERT INTO music_pieces_fts (piece_id, title, subtitle, notes) VALUES (NEW.id, NEW.title, NEW.subtitle, NEW.notes);
END;

CREATE TRIGGER music_pieces_fts_follows_update AFTER UPDATE OF title, subtitle, notes ON music_pieces
BEGIN
    DELETE FROM music_pieces_fts WHERE piece_id = OLD.id;
    INSERT INTO music_pieces_fts (piece_id, title, subtitle, notes) VALUES (NEW.id, NEW.title, NEW.subtitle, NEW.notes);
END;

CREATE TRIGGER music_pieces_fts_follows_delete AFTER DELETE ON music_pieces
BEGIN
    DELETE FROM music_pieces_fts WHERE piece_id = OLD.id;
END;

CREATE TRIGGER music_pieces_title_tri_follows_insert AFTER INSERT ON music_pieces
BEGIN
    INSERT INTO music_pieces_title_tri (piece_id, title) VALUES (NEW.id, NEW.title);
END;

CREATE TRIGGER music_pieces_title_tri_follows_update AFTER UPDATE OF title ON music_pieces
BEGIN
    DELETE FROM music_pieces_title_tri WHERE piece_id = OLD.id;
    INSERT INTO music_pieces_title_tri (piece_id, title) VALUES (NEW.id, NEW.title);
END;

CREATE TRIGGER music_pieces_title_tri_follows_delete AFTER DELETE ON music_pieces
BEGIN
    DELETE FROM music_pieces_title_tri WHERE piece_id = OLD.id;
END;
CREATE INDEX idx_music_pieces_title_order ON music_pieces (title COLLATE NOCASE, id, is_archived) WHERE deleted_at IS NULL;
CREATE INDEX idx_music_pieces_numbers ON music_pieces (catalog_number, id) WHERE catalog_number IS NOT NULL;

CREATE VIRTUAL TABLE music_pieces_fts USING fts5(
    piece_id UNINDEXED, title, subtitle, notes, tokenize = 'porter unicode61 remove_diacritics 2'
);

CREATE TABLE 'music_pieces_fts_data'(id INTEGER PRIMARY KEY, block BLOB);

CREATE TABLE 'music_pieces_fts_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;

CREATE TABLE 'music_pieces_fts_content'(id INTEGER PRIMARY KEY, c0, c1, c2, c3);

CREATE TABLE 'music_pieces_fts_docsize'(id INTEGER PRIMARY KEY, sz BLOB);

CREATE TABLE 'music_pieces_fts_config'(k PRIMARY KEY, v) WITHOUT ROWID;

CREATE VIRTUAL TABLE music_pieces_title_tri USING fts5(piece_id UNINDEXED, title, tokenize = 'trigram');

CREATE TABLE 'music_pieces_title_tri_data'(id INTEGER PRIMARY KEY, block BLOB);

CREATE TABLE 'music_pieces_title_tri_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;

CREATE TABLE 'music_pieces_title_tri_content'(id INTEGER PRIMARY KEY, c0, c1);

CREATE TABLE 'music_pieces_title_tri_docsize'(id INTEGER PRIMARY KEY, sz BLOB);

CREATE TABLE 'music_pieces_title_tri_config'(k PRIMARY KEY, v) WITHOUT ROWID;

CREATE TABLE music_files (
    id TEXT PRIMARY KEY NOT NULL,
    piece_id TEXT NOT NULL REFERENCES music_pieces (id) ON DELETE CASCADE,
    file_name TEXT NOT NULL CHECK (file_name = trim(file_name) AND length(file_name) BETWEEN 1 AND 255),
    file_type TEXT NOT NULL
        CHECK (file_type IN
            ('FULL_SCORE', 'CONDUCTOR_SCORE', 'PART', 'CONDENSED_SCORE', 'AUDIO', 'LICENSING', 'OTHER')),
    file_size INTEGER NOT NULL CONSTRAINT check_file_size CHECK (file_size > 0),
    mime_type TEXT NOT NULL CHECK (mime_type = trim(mime_type) AND length(mime_type) BETWEEN 1 AND 100),
    storage_key TEXT NOT NULL UNIQUE,
    storage_url TEXT,
    version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 500),
    is_public INTEGER NOT NULL DEFAULT 0 CHECK (is_public IN (0, 1)),
    uploaded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (uploaded_at GLOB '????-??-??T??:??:??.???Z'),
    uploaded_by TEXT,
    CHECK (NOT (is_public = 1 AND file_type = 'LICENSING'))
) STRICT;
CREATE INDEX idx_music_files_piece_id ON music_files (piece_id);
CREATE INDEX idx_music_files_file_type ON music_files (file_type);

-- A part's name tells one part of the piece from the others.
CREATE TABLE music_parts (
    id TEXT PRIMARY KEY NOT NULL,
    piece_id TEXT NOT NULL REFERENCES music_pieces (id) ON DELETE CASCADE,
    instrument_id TEXT NOT NULL REFERENCES instruments (id) ON DELETE RESTRICT,
    part_name TEXT NOT NULL CHECK (part_name = trim(part_name) AND length(part_name) BETWEEN 1 AND 100),
    file_id TEXT REFERENCES music_files (id) ON DELETE SET NULL,
    is_optional INTEGER NOT NULL DEFAULT 0 CHECK (is_optional IN (0, 1)),
    notes TEXT CHECK (notes = trim(notes) AND length(notes) BETWEEN 1 AND 1000)
) STRICT;
CREATE INDEX idx_music_parts_piece_id ON music_parts (piece_id);
CREATE INDEX idx_music_parts_instrument_id ON music_parts (instrument_id);
CREATE INDEX idx_music_parts_file_id ON music_parts (file_id) WHERE file_id IS NOT NULL;
CREATE UNIQUE INDEX idx_music_parts_name ON music_parts (piece_id, part_name COLLATE NOCASE);

CREATE TRIGGER part_is_played_from_its_own_piece
BEFORE INSERT ON music_parts
WHEN NEW.file_id IS NOT NULL AND (SELECT piece_id FROM music_files WHERE id = NEW.file_id) IS NOT NEW.piece_id
BEGIN
    SELECT RAISE(ABORT, 'file_of_other_piece: a part is played from a file of its own piece');
END;

CREATE TRIGGER part_stays_with_its_own_piece
BEFORE UPDATE OF piece_id, file_id ON music_parts
WHEN NEW.file_id IS NOT NULL AND (SELECT piece_id FROM music_files WHERE id = NEW.file_id) IS NOT NEW.piece_id
BEGIN
    SELECT RAISE(ABORT, 'file_of_other_piece: a part is played from a file of its own piece');
END;

-- user_id names nobody for an anonymous download; it may outlive the user.
CREATE TABLE file_downloads (
    id TEXT PRIMARY KEY NOT NULL,
    file_id TEXT NOT NULL REFERENCES music_files (id) ON DELETE CASCADE,
    user_id TEXT,
    downloaded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (downloaded_at GLOB '????-??-??T??:??:??.???Z'),
    ip_address TEXT,
    user_agent TEXT
) STRICT;
CREATE INDEX idx_file_downloads_file_id ON file_downloads (file_id);
CREATE INDEX idx_file_downloads_user_id ON file_downloads (user_id);
CREATE INDEX idx_file_downloads_downloaded_at ON file_downloads (downloaded_at);
CREATE INDEX idx_file_downloads_file_user ON file_downloads (file_id, user_id);

CREATE TABLE music_assignments (
    id TEXT PRIMARY KEY NOT NULL,
    piece_id TEXT NOT NULL REFERENCES music_pieces (id) ON DELETE CASCADE,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    part_name TEXT CHECK (part_name = trim(part_name) AND length(part_name) BETWEEN 1 AND 100),
    priority INTEGER CHECK (priority > 0),
    notes TEXT CHECK (notes = trim(notes) AND length(notes) BETWEEN 1 AND 4000),
    assigned_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (assigned_at GLOB '????-??-??T??:??:??.???Z'),
    assigned_by TEXT,
    due_date TEXT CHECK (due_date GLOB '????-??-??T??:??:??.???Z'),
    part_id TEXT REFERENCES music_parts (id) ON DELETE SET NULL,
    status TEXT NOT NULL DEFAULT 'ASSIGNED'
        CHECK (status IN ('ASSIGNED', 'PICKED_UP', 'RETURNED', 'OVERDUE', 'LOST', 'DAMAGED')),
    picked_up_at TEXT CHECK (picked_up_at GLOB '????-??-??T??:??:??.???Z'),
    returned_at TEXT CHECK (returned_at GLOB '????-??-??T??:??:??.???Z'),
    condition TEXT CHECK (condition = trim(condition) AND length(condition) BETWEEN 1 AND 100),
    missing_since TEXT CHECK (missing_since GLOB '????-??-??T??:??:??.???Z'),
    missing_notes TEXT CHECK (missing_notes = trim(missing_notes) AND length(missing_notes) BETWEEN 1 AND 4000),
    CHECK (status <> 'LOST' OR (missing_since IS NOT NULL AND missing_notes IS NOT NULL)),
    CHECK (status NOT IN ('RETURNED', 'DAMAGED') OR returned_at IS NOT NULL)
) STRICT;
CREATE INDEX idx_music_assignments_piece_id ON music_assignments (piece_id);
CREATE INDEX idx_music_assignments_member_id ON music_assignments (member_id);
CREATE INDEX idx_music_assignments_due_date ON music_assignments (due_date);
CREATE INDEX idx_music_assignments_status ON music_assignments (status);
CREATE INDEX idx_music_assignments_part_id ON music_assignments (part_id) WHERE part_id IS NOT NULL;

-- A part is out once with one member; in a later season it may be given out again. Without a part name it is the piece.
CREATE UNIQUE INDEX idx_music_assignments_open ON music_assignments (piece_id, member_id, coalesce(part_name,
        '')) WHERE status IN ('ASSIGNED', 'PICKED_UP', 'OVERDUE');

CREATE TRIGGER assignment_names_a_part_of_its_piece
BEFORE INSERT ON music_assignments
WHEN NEW.part_id IS NOT NULL AND (SELECT piece_id FROM music_parts WHERE id = NEW.part_id) IS NOT NEW.piece_id
BEGIN
    SELECT RAISE(ABORT, 'part_of_other_piece: an assignment names a part of its own piece');
END;

CREATE TRIGGER finished_assignment_stays_finished
BEFORE UPDATE OF status ON music_assignments
WHEN OLD.status IN ('RETURNED', 'LOST', 'DAMAGED') AND NEW.status IS NOT OLD.status
BEGIN
    SELECT RAISE(ABORT, 'invalid_transition: returned, lost and damaged are final');
END;
CREATE INDEX idx_music_assignments_assigned_at ON music_assignments (assigned_at, id);

CREATE TABLE venues (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    address TEXT CHECK (address = trim(address) AND length(address) BETWEEN 1 AND 200),
    city TEXT CHECK (city = trim(city) AND length(city) BETWEEN 1 AND 200),
    state TEXT CHECK (state = trim(state) AND length(state) BETWEEN 1 AND 200),
    zip_code TEXT CHECK (zip_code = trim(zip_code) AND length(zip_code) BETWEEN 1 AND 200),
    directions TEXT CHECK (directions = trim(directions) AND length(directions) BETWEEN 1 AND 2000),
    parking TEXT CHECK (parking = trim(parking) AND length(parking) BETWEEN 1 AND 2000),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_venues_name ON venues (name);

-- program_order: the programme in playing order, [{"piece_id", "notes"}]; it may name a piece twice.
CREATE TABLE events (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 4000),
    type TEXT NOT NULL CHECK (type IN ('CONCERT', 'REHEARSAL', 'SECTIONAL', 'BOARD_MEETING', 'SOCIAL', 'OTHER')),
    start_time TEXT NOT NULL CHECK (start_time GLOB '????-??-??T??:??:??.???Z'),
    end_time TEXT NOT NULL CHECK (end_time GLOB '????-??-??T??:??:??.???Z'),
    location TEXT CHECK (location = trim(location) AND length(location) BETWEEN 1 AND 200),
    venue_id TEXT REFERENCES venues (id) ON DELETE SET NULL,
    call_time TEXT CHECK (call_time GLOB '????-??-??T??:??:??.???Z'),
    dress_code TEXT CHECK (dress_code = trim(dress_code) AND length(dress_code) BETWEEN 1 AND 200),
    program_order TEXT CHECK (program_order IS NULL OR json_valid(program_order)),
    is_cancelled INTEGER NOT NULL DEFAULT 0 CHECK (is_cancelled IN (0, 1)),
    is_published INTEGER NOT NULL DEFAULT 0 CHECK (is_published IN (0, 1)),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z'),
    CONSTRAINT check_event_times CHECK (end_time > start_time),
    CHECK (call_time IS NULL OR call_time <= start_time)
) STRICT;
CREATE INDEX idx_events_type ON events (type);
CREATE INDEX idx_events_any_start_time ON events (start_time);
CREATE INDEX idx_events_start_time ON events (start_time) WHERE is_cancelled = 0;
CREATE INDEX idx_events_is_published ON events (is_published);
CREATE INDEX idx_events_deleted_at ON events (deleted_at);
CREATE INDEX idx_events_venue_id ON events (venue_id) WHERE venue_id IS NOT NULL;

-- Each piece of the programme once, in the order of its first appearance.
CREATE TABLE event_music (
    id TEXT PRIMARY KEY NOT NULL,
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    piece_id TEXT NOT NULL REFERENCES music_pieces (id) ON DELETE CASCADE,
    sort_order INTEGER NOT NULL DEFAULT 0 CHECK (sort_order >= 0),
    notes TEXT CHECK (notes = trim(notes) AND length(notes) BETWEEN 1 AND 1000),
    UNIQUE (event_id, piece_id)
) STRICT;
CREATE INDEX idx_event_music_event_id ON event_music (event_id);
CREATE INDEX idx_event_music_piece_id ON event_music (piece_id);

-- target_section may outlive the section it names.
CREATE TABLE event_notes (
    id TEXT PRIMARY KEY NOT NULL,
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    title TEXT CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    content TEXT NOT NULL CHECK (content = trim(content) AND length(content) BETWEEN 1 AND 4000),
    is_public INTEGER NOT NULL DEFAULT 0 CHECK (is_public IN (0, 1)),
    target_section TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    created_by TEXT,
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK (NOT (is_public = 1 AND target_section IS NOT NULL))
) STRICT;
CREATE INDEX idx_event_notes_event_id ON event_notes (event_id);

CREATE TABLE attendance (
    id TEXT PRIMARY KEY NOT NULL,
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    status TEXT NOT NULL CHECK (status IN ('PRESENT', 'ABSENT', 'EXCUSED', 'LATE', 'LEFT_EARLY')),
    notes TEXT CHECK (notes = trim(notes) AND length(notes) BETWEEN 1 AND 1000),
    marked_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (marked_at GLOB '????-??-??T??:??:??.???Z'),
    marked_by TEXT
) STRICT;
CREATE UNIQUE INDEX idx_attendance_event_member ON attendance (event_id, member_id);
CREATE INDEX idx_attendance_event_id ON attendance (event_id);
CREATE INDEX idx_attendance_member_id ON attendance (member_id);
CREATE INDEX idx_attendance_status ON attendance (status);

-- A CHECK may not read the clock; a trigger may.
CREATE TRIGGER check_attendance_dates_insert
BEFORE INSERT ON attendance
WHEN NEW.marked_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
    SELECT RAISE(ABORT, 'marked_in_future: a mark is not made in the future');
END;

CREATE TRIGGER check_attendance_dates_update
BEFORE UPDATE OF marked_at ON attendance
WHEN NEW.marked_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
    SELECT RAISE(ABORT, 'marked_in_future: a mark is not made in the future');
END;

CREATE TABLE pages (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    slug TEXT NOT NULL CHECK (slug = trim(slug) AND length(slug) BETWEEN 1 AND 200) UNIQUE,
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 500),
    content TEXT NOT NULL CHECK (json_valid(content)),
    raw_markdown TEXT,
    meta_title TEXT CHECK (meta_title = trim(meta_title) AND length(meta_title) BETWEEN 1 AND 200),
    meta_description TEXT
        CHECK (meta_description = trim(meta_description) AND length(meta_description) BETWEEN 1 AND 500),
    meta_keywords TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(meta_keywords) AND json_type(meta_keywords) = 'array'),
    og_image TEXT,
    status TEXT NOT NULL DEFAULT 'DRAFT' CHECK (status IN ('DRAFT', 'SCHEDULED', 'PUBLISHED', 'ARCHIVED')),
    published_at TEXT CHECK (published_at GLOB '????-??-??T??:??:??.???Z'),
    scheduled_for TEXT CHECK (scheduled_for GLOB '????-??-??T??:??:??.???Z'),
    version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
    parent_version_id TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    created_by TEXT,
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    updated_by TEXT,
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK (status <> 'SCHEDULED' OR scheduled_for IS NOT NULL),
    CHECK (status <> 'PUBLISHED' OR published_at IS NOT NULL)
) STRICT;
CREATE INDEX idx_pages_status ON pages (status);
CREATE INDEX idx_pages_published_at ON pages (published_at);
CREATE INDEX idx_pages_scheduled_for ON pages (scheduled_for) WHERE status = 'SCHEDULED';

CREATE TRIGGER pages_fts_follows_insert AFTER INSERT ON pages
BEGIN
    INSERT INTO pages_fts (page_id, title, description, raw_markdown)
    VALUES (NEW.id, NEW.title, NEW.description, NEW.raw_markdown);
END;

CREATE TRIGGER pages_fts_follows_update AFTER UPDATE OF title, description, raw_markdown ON pages
BEGIN
    DELETE FROM pages_fts WHERE page_id = OLD.id;
    INSERT INTO pages_fts (page_id, title, description, raw_markdown)
    VALUES (NEW.id, NEW.title, NEW.description, NEW.raw_markdown);
END;

CREATE TRIGGER pages_fts_follows_delete AFTER DELETE ON pages
BEGIN
    DELETE FROM pages_fts WHERE page_id = OLD.id;
END;

CREATE VIRTUAL TABLE pages_fts USING fts5(
    page_id UNINDEXED, title, description, raw_markdown, tokenize = 'porter unicode61 remove_diacritics 2'
);

CREATE TABLE 'pages_fts_data'(id INTEGER PRIMARY KEY, block BLOB);

CREATE TABLE 'pages_fts_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;

CREATE TABLE 'pages_fts_content'(id INTEGER PRIMARY KEY, c0, c1, c2, c3);

CREATE TABLE 'pages_fts_docsize'(id INTEGER PRIMARY KEY, sz BLOB);

CREATE TABLE 'pages_fts_config'(k PRIMARY KEY, v) WITHOUT ROWID;

CREATE TABLE page_versions (
    id TEXT PRIMARY KEY NOT NULL,
    page_id TEXT NOT NULL REFERENCES pages (id) ON DELETE CASCADE,
    version INTEGER NOT NULL CHECK (version >= 1),
    content TEXT NOT NULL CHECK (json_valid(content)),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    created_by TEXT,
    UNIQUE (page_id, version)
) STRICT;
CREATE INDEX idx_page_versions_page_id ON page_versions (page_id);

CREATE TRIGGER page_version_is_never_rewritten
BEFORE UPDATE ON page_versions
BEGIN
    SELECT RAISE(ABORT, 'immutable: a version of a page stays as it was written');
END;

CREATE TABLE media_assets (
    id TEXT PRIMARY KEY NOT NULL,
    file_name TEXT NOT NULL CHECK (file_name = trim(file_name) AND length(file_name) BETWEEN 1 AND 255),
    file_size INTEGER NOT NULL CHECK (file_size > 0),
    mime_type TEXT NOT NULL CHECK (mime_type = trim(mime_type) AND length(mime_type) BETWEEN 1 AND 100),
    storage_key TEXT NOT NULL,
    storage_url TEXT,
    title TEXT CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 255),
    alt_text TEXT CHECK (alt_text = trim(alt_text) AND length(alt_text) BETWEEN 1 AND 500),
    caption TEXT CHECK (caption = trim(caption) AND length(caption) BETWEEN 1 AND 1000),
    tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags) AND json_type(tags) = 'array'),
    width INTEGER CHECK (width > 0),
    height INTEGER CHECK (height > 0),
    uploaded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (uploaded_at GLOB '????-??-??T??:??:??.???Z'),
    uploaded_by TEXT
) STRICT;
CREATE INDEX idx_media_assets_mime_type ON media_assets (mime_type);
CREATE INDEX idx_media_assets_uploaded_at ON media_assets (uploaded_at);

-- target_roles: names of roles; an empty list means everybody.
CREATE TABLE announcements (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    content TEXT NOT NULL CHECK (content = trim(content) AND length(content) BETWEEN 1 AND 20000),
    target_roles TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(target_roles) AND json_type(target_roles) = 'array'),
    is_urgent INTEGER NOT NULL DEFAULT 0 CHECK (is_urgent IN (0, 1)),
    status TEXT NOT NULL DEFAULT 'DRAFT' CHECK (status IN ('DRAFT', 'SCHEDULED', 'PUBLISHED', 'ARCHIVED')),
    publish_at TEXT CHECK (publish_at GLOB '????-??-??T??:??:??.???Z'),
    published_at TEXT CHECK (published_at GLOB '????-??-??T??:??:??.???Z'),
    expires_at TEXT CHECK (expires_at GLOB '????-??-??T??:??:??.???Z'),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    created_by TEXT,
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK (status <> 'SCHEDULED' OR publish_at IS NOT NULL),
    CHECK (status <> 'PUBLISHED' OR published_at IS NOT NULL)
) STRICT;
CREATE INDEX idx_announcements_status ON announcements (status);
CREATE INDEX idx_announcements_publish_at ON announcements (publish_at);
CREATE INDEX idx_announcements_published_at ON announcements (published_at);
CREATE INDEX idx_announcements_expires_at ON announcements (expires_at);

-- dedupe_key makes every producer safe to repeat.
CREATE TABLE user_notifications (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    type TEXT NOT NULL
        CHECK (type IN ('ANNOUNCEMENT', 'EVENT_REMINDER', 'MUSIC_ASSIGNMENT', 'ATTENDANCE_REMINDER', 'SYSTEM')),
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 300),
    message TEXT NOT NULL CHECK (length(message) <= 203),
    link_url TEXT,
    link_text TEXT,
    announcement_id TEXT REFERENCES announcements (id) ON DELETE SET NULL,
    event_id TEXT,
    is_read INTEGER NOT NULL DEFAULT 0 CHECK (is_read IN (0, 1)),
    read_at TEXT CHECK (read_at GLOB '????-??-??T??:??:??.???Z'),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    dedupe_key TEXT UNIQUE,
    CHECK ((is_read = 1) = (read_at IS NOT NULL))
) STRICT;
CREATE INDEX idx_user_notifications_user_id ON user_notifications (user_id);
CREATE INDEX idx_user_notifications_is_read ON user_notifications (is_read);
CREATE INDEX idx_user_notifications_created_at ON user_notifications (created_at);
CREATE INDEX idx_user_notifications_announcement_id ON user_notifications (announcement_id) WHERE
        announcement_id IS NOT NULL;

-- sender_id and recipients may outlive the users they name; the sender's name is copied when the message is sent.
CREATE TABLE messages (
    id TEXT PRIMARY KEY NOT NULL,
    subject TEXT NOT NULL CHECK (subject = trim(subject) AND length(subject) BETWEEN 1 AND 200),
    body TEXT NOT NULL CHECK (body = trim(body) AND length(body) BETWEEN 1 AND 20000),
    sender_id TEXT NOT NULL,
    sender_name TEXT NOT NULL CHECK (sender_name = trim(sender_name) AND length(sender_name) BETWEEN 1 AND 200),
    recipients TEXT NOT NULL CHECK (json_valid(recipients) AND json_type(recipients) = 'array'),
    sent_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (sent_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_messages_sender_id ON messages (sender_id);
CREATE INDEX idx_messages_sent_at ON messages (sent_at);

CREATE TRIGGER message_is_never_edited
BEFORE UPDATE OF subject, body, sender_id, recipients, sent_at ON messages
BEGIN
    SELECT RAISE(ABORT, 'immutable: a message stays as it was sent');
END;

CREATE TABLE system_settings (
    id TEXT PRIMARY KEY NOT NULL,
    key TEXT NOT NULL UNIQUE CHECK (key GLOB '[a-z]*' AND key NOT GLOB '*[^a-z0-9_.]*'),
    value TEXT NOT NULL,
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 500),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    updated_by TEXT
) STRICT;

CREATE VIEW principals (id, email, name, active) AS
SELECT id, email_hash, coalesce(name, 'user'), deleted_at IS NULL FROM users;

-- Roles that count now.
CREATE VIEW held_roles (user_id, role_id, type) AS
SELECT held.user_id, held.role_id, r.type
  FROM user_roles AS held JOIN roles AS r ON r.id = held.role_id
 WHERE held.expires_at IS NULL OR held.expires_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now');

-- A permission by its own name, and `x.y.all` by that of every narrower scope of the same action.
CREATE VIEW permission_names (permission_id, name) AS
SELECT id, name FROM permissions
UNION ALL
SELECT p.id, substr(p.name, 1, length(p.name) - 3) || narrower.column1
  FROM permissions AS p
  JOIN (VALUES ('section'), ('assigned'), ('own'), ('public')) AS narrower
 WHERE p.scope = 'all';

-- By the roles that count now; a super administrator passes every check; somebody without a role has what the public has.
CREATE VIEW grants (principal_id, permission, scope) AS
SELECT u.id, p.name, ''
  FROM users AS u
  JOIN held_roles AS held ON held.user_id = u.id
  JOIN role_permissions AS rp ON rp.role_id = held.role_id
  JOIN permission_names AS p ON p.permission_id = rp.permission_id
 WHERE u.deleted_at IS NULL
UNION ALL
SELECT u.id, p.name, ''
  FROM users AS u
  JOIN held_roles AS held ON held.user_id = u.id AND held.type = 'SUPER_ADMIN'
  JOIN permission_names AS p
 WHERE u.deleted_at IS NULL
UNION ALL
SELECT u.id, p.name, ''
  FROM users AS u
  JOIN roles AS r ON r.type = 'PUBLIC'
  JOIN role_permissions AS rp ON rp.role_id = r.id
  JOIN permission_names AS p ON p.permission_id = rp.permission_id
 WHERE u.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM held_roles AS held WHERE held.user_id = u.id);
