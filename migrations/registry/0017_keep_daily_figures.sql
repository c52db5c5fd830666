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
