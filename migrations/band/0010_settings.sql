-- What the band decides about itself.

CREATE TABLE system_settings (
    id TEXT PRIMARY KEY NOT NULL,
    key TEXT NOT NULL UNIQUE CHECK (key GLOB '[a-z]*' AND key NOT GLOB '*[^a-z0-9_.]*'),
    value TEXT NOT NULL,
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 500),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    updated_by TEXT
) STRICT;
