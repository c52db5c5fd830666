-- Maintenance: when each job last ran on each vault, and the last known head of each audit chain.

-- One row for each vault and job. The vault id `registry` is the registry itself, which is not in the directory.
CREATE TABLE maintenance_runs (
    vault_id TEXT NOT NULL CHECK (vault_id <> ''),
    job TEXT NOT NULL CHECK (job GLOB '[a-z]*' AND length(job) <= 80),
    -- NULL = asked for, and never run
    last_ran_at TEXT CHECK (last_ran_at GLOB '????-??-??T??:??:??.???Z'),
    last_succeeded_at TEXT CHECK (last_succeeded_at GLOB '????-??-??T??:??:??.???Z'),
    next_due_at TEXT NOT NULL CHECK (next_due_at GLOB '????-??-??T??:??:??.???Z'),
    outcome TEXT CHECK (outcome IN ('ok', 'failed')),
    -- failures in a row
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    -- of the last run that went well: whole numbers and short texts
    report TEXT NOT NULL DEFAULT '{}'
        CHECK (CASE WHEN json_valid(report) THEN json_type(report) = 'object' ELSE 0 END),
    -- a code or a kind of error, nothing personal
    error TEXT,
    PRIMARY KEY (vault_id, job),
    CHECK ((outcome IS NULL) = (last_ran_at IS NULL)),
    CHECK (outcome IS NOT 'failed' OR (error IS NOT NULL AND failures > 0)),
    CHECK (outcome IS 'failed' OR (error IS NULL AND failures = 0))
) STRICT, WITHOUT ROWID;

-- Where the audit chain of a vault was last seen to stand: a later chain without this link was rewritten.
CREATE TABLE audit_anchors (
    vault_id TEXT NOT NULL PRIMARY KEY CHECK (vault_id <> ''),
    seq INTEGER NOT NULL CHECK (seq > 0),
    mac TEXT NOT NULL CHECK (length(mac) = 64 AND mac NOT GLOB '*[^0-9a-f]*'),
    anchored_at TEXT NOT NULL CHECK (anchored_at GLOB '????-??-??T??:??:??.???Z')
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_anchors_only_move_forward BEFORE UPDATE ON audit_anchors
WHEN NEW.vault_id IS NOT OLD.vault_id OR NEW.seq < OLD.seq OR (NEW.seq = OLD.seq AND NEW.mac IS NOT OLD.mac)
BEGIN
    SELECT RAISE(ABORT, 'an anchor only moves forward along its chain');
END;

CREATE TRIGGER vaults_take_their_maintenance_along AFTER DELETE ON vaults
BEGIN
    DELETE FROM maintenance_runs WHERE vault_id = OLD.id;
    DELETE FROM audit_anchors WHERE vault_id = OLD.id;
END;
