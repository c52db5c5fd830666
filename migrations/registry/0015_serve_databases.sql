-- Vaults as databases of SQL: names of their own, tokens that run SQL, imports and exports under way.

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

-- read or write: the token runs SQL in its vault and does nothing else; NULL = it runs none
ALTER TABLE api_tokens ADD COLUMN sql TEXT
    CHECK (sql IS NULL OR (sql IN ('read', 'write') AND kind = 'vault' AND (sql = 'read') = read_only));

CREATE TRIGGER api_tokens_keep_their_sql BEFORE UPDATE OF sql ON api_tokens
WHEN NEW.sql IS NOT OLD.sql
BEGIN
    SELECT RAISE(ABORT, 'an API token keeps its reach and stays revoked; make a new one');
END;

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
    ended_at TEXT CHECK (ended_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK ((kind = 'import') = (etag IS NOT NULL)),
    CHECK ((status = 'active') = (ended_at IS NULL)),
    CHECK ((status = 'complete') = (result IS NOT NULL)),
    CHECK ((status = 'error') = (error IS NOT NULL))
) STRICT;

CREATE INDEX idx_database_jobs_vault ON database_jobs (vault_id, kind, id);
CREATE INDEX idx_database_jobs_active ON database_jobs (created_at) WHERE status = 'active';
