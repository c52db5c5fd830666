-- Requests by vault, for the statistics of maintenance.

-- Processes add what they counted every few minutes: a total that lags a little, and misses what a killed process held.
CREATE TABLE vault_requests (
    vault_id TEXT NOT NULL PRIMARY KEY REFERENCES vaults (id) ON DELETE CASCADE,
    total INTEGER NOT NULL CHECK (total >= 0)
) STRICT, WITHOUT ROWID;
