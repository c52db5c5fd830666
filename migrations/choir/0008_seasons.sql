-- Seasons, known by their first day only, and their repertoire.

CREATE TABLE seasons (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    -- A modifier makes date() work out the day: 2026-02-30 comes back as another one.
    start_date TEXT NOT NULL CHECK (start_date IS date(start_date, '+0 days')),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    UNIQUE (org_id, start_date)
) STRICT;
CREATE INDEX idx_seasons_start_date ON seasons (start_date);
CREATE INDEX idx_seasons_org_id ON seasons (org_id);

CREATE TRIGGER season_keeps_its_organization
BEFORE UPDATE OF org_id ON seasons WHEN NEW.org_id IS NOT OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a season stays in its organization');
END;

CREATE TABLE season_works (
    id TEXT PRIMARY KEY NOT NULL,
    season_id TEXT NOT NULL REFERENCES seasons (id) ON DELETE CASCADE,
    work_id TEXT NOT NULL REFERENCES works (id) ON DELETE CASCADE,
    display_order INTEGER NOT NULL DEFAULT 0,
    notes TEXT CHECK (length(notes) <= 4000),
    added_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (added_at GLOB '????-??-??T??:??:??.???Z'),
    added_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    UNIQUE (season_id, work_id)
) STRICT;
CREATE INDEX idx_season_works_season_id_display_order ON season_works (season_id, display_order);
CREATE INDEX idx_season_works_work_id ON season_works (work_id);
CREATE INDEX idx_season_works_added_by ON season_works (added_by) WHERE added_by IS NOT NULL;

CREATE TRIGGER season_plans_works_of_its_organization
BEFORE INSERT ON season_works
WHEN (SELECT org_id FROM works WHERE id = NEW.work_id) IS NOT (SELECT org_id FROM seasons WHERE id = NEW.season_id)
BEGIN
    SELECT RAISE(ABORT, 'foreign_work: a season plans works of its own organization');
END;

CREATE TRIGGER season_work_keeps_its_key
BEFORE UPDATE OF season_id, work_id ON season_works
WHEN NEW.season_id IS NOT OLD.season_id OR NEW.work_id IS NOT OLD.work_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a work is taken out of a season and added anew, never moved');
END;

CREATE TABLE season_work_editions (
    id TEXT PRIMARY KEY NOT NULL,
    season_work_id TEXT NOT NULL REFERENCES season_works (id) ON DELETE CASCADE,
    edition_id TEXT NOT NULL REFERENCES editions (id) ON DELETE CASCADE,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    notes TEXT CHECK (length(notes) <= 4000),
    added_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (added_at GLOB '????-??-??T??:??:??.???Z'),
    added_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    UNIQUE (season_work_id, edition_id)
) STRICT;
CREATE INDEX idx_season_work_editions_season_work_id ON season_work_editions (season_work_id);
CREATE INDEX idx_season_work_editions_edition_id ON season_work_editions (edition_id);
CREATE INDEX idx_season_work_editions_added_by ON season_work_editions (added_by) WHERE added_by IS NOT NULL;
CREATE UNIQUE INDEX idx_season_work_editions_primary ON season_work_editions (season_work_id) WHERE is_primary = 1;

CREATE TRIGGER season_work_picks_editions_of_its_work
BEFORE INSERT ON season_work_editions
WHEN (SELECT work_id FROM editions WHERE id = NEW.edition_id)
    IS NOT (SELECT work_id FROM season_works WHERE id = NEW.season_work_id)
BEGIN
    SELECT RAISE(ABORT, 'foreign_edition: an edition is picked for its own work');
END;

CREATE TRIGGER season_pick_keeps_its_key
BEFORE UPDATE OF season_work_id, edition_id ON season_work_editions
WHEN NEW.season_work_id IS NOT OLD.season_work_id OR NEW.edition_id IS NOT OLD.edition_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a pick is dropped and made anew, never moved');
END;
