-- Every table of Vaultry as the migrations leave it: of the registry, the kernel, each charter.
-- Written by `vaultry schema` and compared by a test; never run: to change a table, add a migration. Registry and
-- charters are databases of their own, each on top of the kernel's tables.


-- =====================================================================================================================
-- Registry: registry/0001_create_accounts to registry/0006_create_signing_keys
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
    parent_bookmark TEXT,
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

CREATE TABLE signing_keys (
    id TEXT PRIMARY KEY,
    -- published as `kid`
    key_id TEXT NOT NULL UNIQUE,
    algorithm TEXT NOT NULL DEFAULT 'EdDSA' CHECK (algorithm = 'EdDSA'),
    -- JWK: kty OKP, crv Ed25519, x
    public_key TEXT NOT NULL
        CHECK (CASE WHEN json_valid(public_key) THEN json_extract(public_key, '$.crv') IS 'Ed25519' ELSE 0 END),
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
    OR NEW.key_id IS NOT OLD.key_id OR NEW.public_key IS NOT OLD.public_key
BEGIN
    SELECT RAISE(ABORT, 'a signing key is activated once, revoked once, and its public half is fixed');
END;


-- =====================================================================================================================
-- Kernel: kernel/0001_migration_ledger to kernel/0006_outbox
-- =====================================================================================================================

-- Which steps of which sets this vault has had, with the content hash each had when it ran.
CREATE TABLE vaultry_migrations (
  set_name   TEXT NOT NULL CHECK (set_name <> ''),
  number     INTEGER NOT NULL CHECK (number > 0),
  name       TEXT NOT NULL,
  sha256     TEXT NOT NULL CHECK (length(sha256) = 64),
  applied_at TEXT NOT NULL CHECK (length(applied_at) = 24),
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


-- =====================================================================================================================
-- Charter choir: choir/0001_organizations_and_members to choir/0007_contract_views
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
