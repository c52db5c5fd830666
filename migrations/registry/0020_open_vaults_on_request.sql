-- Vaults that anybody may open where the platform lets them: asked for, proven by a code to the owner's mailbox, made.

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
