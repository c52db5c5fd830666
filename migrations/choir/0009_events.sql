-- Rehearsals, concerts and gatherings, and their programmes. No event names its season: that is computed from the day.

CREATE TABLE events (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    description TEXT CHECK (length(description) <= 4000),
    location TEXT CHECK (location = trim(location) AND length(location) BETWEEN 1 AND 200),
    starts_at TEXT NOT NULL CHECK (starts_at GLOB '????-??-??T??:??:??.???Z'),
    ends_at TEXT CHECK (ends_at GLOB '????-??-??T??:??:??.???Z' AND ends_at >= starts_at),
    event_type TEXT NOT NULL CHECK (event_type IN ('rehearsal', 'concert', 'retreat', 'festival')),
    created_by TEXT REFERENCES members (id),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_events_starts_at ON events (starts_at);
CREATE INDEX idx_events_event_type ON events (event_type);
CREATE INDEX idx_events_org_id ON events (org_id);
-- One organization's events between two moments: every list, season and roster.
CREATE INDEX idx_events_org_id_starts_at ON events (org_id, starts_at);
CREATE INDEX idx_events_created_by ON events (created_by) WHERE created_by IS NOT NULL;

CREATE TRIGGER event_keeps_its_organization
BEFORE UPDATE OF org_id ON events WHEN NEW.org_id IS NOT OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: an event stays in its organization');
END;

CREATE TABLE event_works (
    id TEXT PRIMARY KEY NOT NULL,
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    work_id TEXT NOT NULL REFERENCES works (id) ON DELETE CASCADE,
    display_order INTEGER NOT NULL DEFAULT 0,
    notes TEXT CHECK (length(notes) <= 4000),
    added_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (added_at GLOB '????-??-??T??:??:??.???Z'),
    added_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    UNIQUE (event_id, work_id)
) STRICT;
CREATE INDEX idx_event_works_event_id_display_order ON event_works (event_id, display_order);
CREATE INDEX idx_event_works_work_id ON event_works (work_id);
CREATE INDEX idx_event_works_added_by ON event_works (added_by) WHERE added_by IS NOT NULL;

CREATE TRIGGER event_plans_works_of_its_organization
BEFORE INSERT ON event_works
WHEN (SELECT org_id FROM works WHERE id = NEW.work_id) IS NOT (SELECT org_id FROM events WHERE id = NEW.event_id)
BEGIN
    SELECT RAISE(ABORT, 'foreign_work: an event plans works of its own organization');
END;

CREATE TRIGGER event_work_keeps_its_key
BEFORE UPDATE OF event_id, work_id ON event_works
WHEN NEW.event_id IS NOT OLD.event_id OR NEW.work_id IS NOT OLD.work_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a work is taken out of an event and added anew, never moved');
END;

CREATE TABLE event_work_editions (
    id TEXT PRIMARY KEY NOT NULL,
    event_work_id TEXT NOT NULL REFERENCES event_works (id) ON DELETE CASCADE,
    edition_id TEXT NOT NULL REFERENCES editions (id) ON DELETE CASCADE,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    notes TEXT CHECK (length(notes) <= 4000),
    added_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (added_at GLOB '????-??-??T??:??:??.???Z'),
    added_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    UNIQUE (event_work_id, edition_id)
) STRICT;
CREATE INDEX idx_event_work_editions_event_work_id ON event_work_editions (event_work_id);
CREATE INDEX idx_event_work_editions_edition_id ON event_work_editions (edition_id);
CREATE INDEX idx_event_work_editions_added_by ON event_work_editions (added_by) WHERE added_by IS NOT NULL;
CREATE UNIQUE INDEX idx_event_work_editions_primary ON event_work_editions (event_work_id) WHERE is_primary = 1;

CREATE TRIGGER event_work_picks_editions_of_its_work
BEFORE INSERT ON event_work_editions
WHEN (SELECT work_id FROM editions WHERE id = NEW.edition_id)
    IS NOT (SELECT work_id FROM event_works WHERE id = NEW.event_work_id)
BEGIN
    SELECT RAISE(ABORT, 'foreign_edition: an edition is picked for its own work');
END;

CREATE TRIGGER event_pick_keeps_its_key
BEFORE UPDATE OF event_work_id, edition_id ON event_work_editions
WHEN NEW.event_work_id IS NOT OLD.event_work_id OR NEW.edition_id IS NOT OLD.edition_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a pick is dropped and made anew, never moved');
END;
