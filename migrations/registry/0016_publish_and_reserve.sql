-- What vaults let anybody read, gathered here so that one request opens none of them; and names held for a moment.

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
