-- Who was there: one row for an event and a member, for the answer before and the roll call after.

CREATE TABLE attendance (
    id TEXT PRIMARY KEY NOT NULL,
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    status TEXT NOT NULL CHECK (status IN ('PRESENT', 'ABSENT', 'EXCUSED', 'LATE', 'LEFT_EARLY')),
    notes TEXT CHECK (notes = trim(notes) AND length(notes) BETWEEN 1 AND 1000),
    marked_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (marked_at GLOB '????-??-??T??:??:??.???Z'),
    marked_by TEXT
) STRICT;
CREATE UNIQUE INDEX idx_attendance_event_member ON attendance (event_id, member_id);
CREATE INDEX idx_attendance_event_id ON attendance (event_id);
CREATE INDEX idx_attendance_member_id ON attendance (member_id);
CREATE INDEX idx_attendance_status ON attendance (status);

-- A CHECK may not read the clock; a trigger may.
CREATE TRIGGER check_attendance_dates_insert
BEFORE INSERT ON attendance
WHEN NEW.marked_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
    SELECT RAISE(ABORT, 'marked_in_future: a mark is not made in the future');
END;

CREATE TRIGGER check_attendance_dates_update
BEFORE UPDATE OF marked_at ON attendance
WHEN NEW.marked_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
    SELECT RAISE(ABORT, 'marked_in_future: a mark is not made in the future');
END;
