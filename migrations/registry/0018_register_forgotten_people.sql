-- Who was forgotten in which vault: ids and times only. A restore replays it, so that nobody comes back. It outlives the
-- vault: its archive may come back too.
CREATE TABLE forgotten_people (
    vault_id TEXT NOT NULL,
    table_name TEXT NOT NULL,
    row_key TEXT NOT NULL,
    forgotten_at TEXT NOT NULL CHECK (length(forgotten_at) = 24),
    PRIMARY KEY (vault_id, table_name, row_key)
) STRICT, WITHOUT ROWID;
