-- Key and value per organization; language choices per person.

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
