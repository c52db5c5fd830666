-- Restore drills: for each vault the last one, and when it was last proven that the store alone gives it back.
-- Every report is also an object of the store, so this table does not grow with the drills.

-- The vault id `registry` is the registry itself, which is not in the directory.
CREATE TABLE drills (
    vault_id TEXT PRIMARY KEY CHECK (vault_id <> ''),
    drilled_at TEXT NOT NULL CHECK (drilled_at GLOB '????-??-??T??:??:??.???Z'),
    passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
    -- of the last drill that passed
    proven_at TEXT CHECK (proven_at GLOB '????-??-??T??:??:??.???Z'),
    -- whether the litestream program made the copy: not_chosen = its turn is another time
    litestream TEXT NOT NULL CHECK (litestream IN ('used', 'not_chosen', 'not_found')),
    -- where the store has the report
    object_key TEXT NOT NULL,
    -- the report, signed: a compact JWS
    report TEXT NOT NULL CHECK (report GLOB '*.*.*'),
    CHECK (passed = 0 OR proven_at IS drilled_at)
) STRICT;

CREATE TRIGGER vaults_take_their_drills_along AFTER DELETE ON vaults
BEGIN
    DELETE FROM drills WHERE vault_id = OLD.id;
END;
