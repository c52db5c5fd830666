-- Bringing a fleet of vaults to a release: where each stands, rollouts, and vaults that are not in the directory.

-- What a vault reported last, so that drift and refusals are answered without opening it.
-- Digest of its schema, as `schema_numbers` says it should follow from the steps; NULL = not reported since they changed.
ALTER TABLE vaults ADD COLUMN schema_hash TEXT CHECK (length(schema_hash) = 64);
-- The numbers it is held at since a migration was taken back; the hold itself lies in the vault.
ALTER TABLE vaults ADD COLUMN schema_hold TEXT
    CHECK (CASE WHEN json_valid(schema_hold) THEN json_type(schema_hold) = 'object' ELSE schema_hold IS NULL END);
-- Why it takes no writes: the step and the error; NULL = it does.
ALTER TABLE vaults ADD COLUMN refusal TEXT;

-- Names in order, so that equal numbers are equal text.
UPDATE vaults SET schema_numbers = (
    SELECT json_group_object(key, value) FROM (SELECT key, value FROM json_each(schema_numbers) ORDER BY key)
);

-- One migration of the fleet, ring by ring.
CREATE TABLE rollouts (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'halted', 'done', 'replaced')),
    -- the only charter it is for; NULL = every one
    charter TEXT,
    -- last step of each set by charter, e.g. {"choir":{"choir":8,"kernel":6}}
    target TEXT NOT NULL CHECK (json_valid(target)),
    -- of the content of those steps: another release with the same numbers is another rollout
    target_hash TEXT NOT NULL CHECK (length(target_hash) = 64),
    -- in order, e.g. [{"name":"10%","share":1000,"vaults":[],"total":120}]
    rings TEXT NOT NULL CHECK (json_valid(rings)),
    -- index of the ring under way
    ring INTEGER NOT NULL DEFAULT 0 CHECK (ring >= 0),
    error_budget TEXT NOT NULL,
    halted_because TEXT,
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    ended_at TEXT CHECK (ended_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK ((state IN ('done', 'replaced')) = (ended_at IS NOT NULL)),
    CHECK ((state = 'halted') <= (halted_because IS NOT NULL))
) STRICT;

-- Two operators who begin at once get one rollout.
CREATE UNIQUE INDEX idx_rollouts_open ON rollouts ((state IN ('running', 'halted'))) WHERE state IN ('running', 'halted');

-- A vault the rollout has come to. Its row is the claim: it is made before the vault is looked at.
CREATE TABLE rollout_vaults (
    rollout_id TEXT NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    vault_id TEXT NOT NULL REFERENCES vaults (id) ON DELETE CASCADE,
    ring INTEGER NOT NULL CHECK (ring >= 0),
    state TEXT NOT NULL DEFAULT 'begun' CHECK (state IN ('begun', 'migrated', 'current', 'failed', 'reverted')),
    -- the state to go back to, noted before the first step; NULL = not looked at yet, or it could not be opened
    bookmark TEXT,
    -- last step of each set at that bookmark
    numbers TEXT CHECK (numbers IS NULL OR json_valid(numbers)),
    step TEXT,
    error_code TEXT,
    error TEXT,
    begun_at TEXT NOT NULL CHECK (begun_at GLOB '????-??-??T??:??:??.???Z'),
    ended_at TEXT CHECK (ended_at GLOB '????-??-??T??:??:??.???Z'),
    PRIMARY KEY (rollout_id, vault_id),
    CHECK ((state = 'begun') = (ended_at IS NULL)),
    CHECK ((state = 'failed') = (error_code IS NOT NULL)),
    CHECK (state NOT IN ('migrated', 'reverted') OR bookmark IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX idx_rollout_vaults_ring ON rollout_vaults (rollout_id, ring, state);
CREATE INDEX idx_rollout_vaults_vault ON rollout_vaults (vault_id);

-- Vaults outside the directory, listed before they are made: the forks of a rehearsal, tenants that are being made.
-- What a killed process leaves of them is found here and removed.
CREATE TABLE scratch_vaults (
    id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('rehearsal', 'provisioning')),
    run_id TEXT NOT NULL,
    created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

CREATE INDEX idx_scratch_vaults_run ON scratch_vaults (run_id);
