-- The directory: which tenants exist, where their names lead, where an account has been admitted.

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
