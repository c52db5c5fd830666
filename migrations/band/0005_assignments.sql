-- Who plays, and holds, which part.

CREATE TABLE music_assignments (
    id TEXT PRIMARY KEY NOT NULL,
    piece_id TEXT NOT NULL REFERENCES music_pieces (id) ON DELETE CASCADE,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    part_name TEXT CHECK (part_name = trim(part_name) AND length(part_name) BETWEEN 1 AND 100),
    priority INTEGER CHECK (priority > 0),
    notes TEXT CHECK (notes = trim(notes) AND length(notes) BETWEEN 1 AND 4000),
    assigned_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (assigned_at GLOB '????-??-??T??:??:??.???Z'),
    assigned_by TEXT,
    due_date TEXT CHECK (due_date GLOB '????-??-??T??:??:??.???Z'),
    part_id TEXT REFERENCES music_parts (id) ON DELETE SET NULL,
    status TEXT NOT NULL DEFAULT 'ASSIGNED'
        CHECK (status IN ('ASSIGNED', 'PICKED_UP', 'RETURNED', 'OVERDUE', 'LOST', 'DAMAGED')),
    picked_up_at TEXT CHECK (picked_up_at GLOB '????-??-??T??:??:??.???Z'),
    returned_at TEXT CHECK (returned_at GLOB '????-??-??T??:??:??.???Z'),
    condition TEXT CHECK (condition = trim(condition) AND length(condition) BETWEEN 1 AND 100),
    missing_since TEXT CHECK (missing_since GLOB '????-??-??T??:??:??.???Z'),
    missing_notes TEXT CHECK (missing_notes = trim(missing_notes) AND length(missing_notes) BETWEEN 1 AND 4000),
    CHECK (status <> 'LOST' OR (missing_since IS NOT NULL AND missing_notes IS NOT NULL)),
    CHECK (status NOT IN ('RETURNED', 'DAMAGED') OR returned_at IS NOT NULL)
) STRICT;
CREATE INDEX idx_music_assignments_piece_id ON music_assignments (piece_id);
CREATE INDEX idx_music_assignments_member_id ON music_assignments (member_id);
CREATE INDEX idx_music_assignments_due_date ON music_assignments (due_date);
CREATE INDEX idx_music_assignments_status ON music_assignments (status);
CREATE INDEX idx_music_assignments_part_id ON music_assignments (part_id) WHERE part_id IS NOT NULL;

-- A part is out once with one member; in a later season it may be given out again. Without a part name it is the piece.
CREATE UNIQUE INDEX idx_music_assignments_open ON music_assignments (piece_id, member_id, coalesce(part_name,
        '')) WHERE status IN ('ASSIGNED', 'PICKED_UP', 'OVERDUE');

CREATE TRIGGER assignment_names_a_part_of_its_piece
BEFORE INSERT ON music_assignments
WHEN NEW.part_id IS NOT NULL AND (SELECT piece_id FROM music_parts WHERE id = NEW.part_id) IS NOT NEW.piece_id
BEGIN
    SELECT RAISE(ABORT, 'part_of_other_piece: an assignment names a part of its own piece');
END;

CREATE TRIGGER finished_assignment_stays_finished
BEFORE UPDATE OF status ON music_assignments
WHEN OLD.status IN ('RETURNED', 'LOST', 'DAMAGED') AND NEW.status IS NOT OLD.status
BEGIN
    SELECT RAISE(ABORT, 'invalid_transition: returned, lost and damaged are final');
END;
