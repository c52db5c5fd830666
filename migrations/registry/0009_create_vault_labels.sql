-- Labels that operators put on tenants, to ask or change some of them together.

CREATE TABLE vault_labels (
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    label TEXT NOT NULL CHECK (
        length(label) BETWEEN 1 AND 40 AND label NOT GLOB '*[^a-z0-9._-]*' AND label GLOB '[a-z0-9]*'
    ),
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    PRIMARY KEY (vault_id, label)
) STRICT;

CREATE INDEX idx_vault_labels_label ON vault_labels (label, vault_id);
