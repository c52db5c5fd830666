-- Intention (planned) and fact (actual) of one person at one event. The two halves are independent of each other.

CREATE TABLE participation (
    id TEXT PRIMARY KEY NOT NULL,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    planned_status TEXT CHECK (planned_status IN ('yes', 'no', 'maybe', 'late')),
    planned_at TEXT CHECK (planned_at GLOB '????-??-??T??:??:??.???Z'),
    planned_notes TEXT CHECK (length(planned_notes) <= 4000),
    actual_status TEXT CHECK (actual_status IN ('present', 'absent', 'late')),
    recorded_at TEXT CHECK (recorded_at GLOB '????-??-??T??:??:??.???Z'),
    recorded_by TEXT REFERENCES members (id),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    UNIQUE (member_id, event_id),
    CHECK ((planned_status IS NULL) = (planned_at IS NULL)),
    CHECK (planned_notes IS NULL OR planned_status IS NOT NULL),
    CHECK ((actual_status IS NULL) = (recorded_at IS NULL)),
    CHECK (recorded_by IS NULL OR actual_status IS NOT NULL)
) STRICT;
CREATE INDEX idx_participation_member_id ON participation (member_id);
CREATE INDEX idx_participation_event_id ON participation (event_id);
CREATE INDEX idx_participation_planned_status ON participation (planned_status);
CREATE INDEX idx_participation_actual_status ON participation (actual_status);
CREATE INDEX idx_participation_recorded_by ON participation (recorded_by) WHERE recorded_by IS NOT NULL;

-- Whose event it is, or who is actively affiliated to whose it is. What is recorded stays when somebody leaves.
CREATE TRIGGER participation_is_for_members
BEFORE INSERT ON participation
WHEN NOT EXISTS (
    SELECT 1 FROM events AS e JOIN member_organizations AS membership ON membership.member_id = NEW.member_id
     WHERE e.id = NEW.event_id
       AND (membership.org_id = e.org_id OR EXISTS (
            SELECT 1 FROM affiliations AS a
             WHERE a.collective_id = membership.org_id AND a.umbrella_id = e.org_id AND a.left_at IS NULL)))
BEGIN
    SELECT RAISE(ABORT, 'not_a_member: only members of the organization, or of its affiliates, take part in an event');
END;

CREATE TRIGGER participation_keeps_its_event
BEFORE UPDATE OF event_id ON participation WHEN NEW.event_id IS NOT OLD.event_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: what is recorded for one event is never moved to another');
END;
