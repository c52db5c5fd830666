-- Numbered paper copies of editions, and who has them.

CREATE TABLE physical_copies (
    id TEXT PRIMARY KEY NOT NULL,
    edition_id TEXT NOT NULL REFERENCES editions (id) ON DELETE CASCADE,
    copy_number TEXT NOT NULL CHECK (copy_number = trim(copy_number) AND length(copy_number) BETWEEN 1 AND 200),
    condition TEXT NOT NULL DEFAULT 'good' CHECK (condition IN ('good', 'fair', 'poor', 'lost')),
    -- The modifier makes SQLite compute the day; without one it hands 30 February back as it came.
    acquired_at TEXT CHECK (acquired_at IS date(acquired_at, '+0 days')),
    notes TEXT CHECK (length(notes) <= 4000),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    UNIQUE (edition_id, copy_number)
) STRICT;
CREATE INDEX idx_physical_copies_edition_id ON physical_copies (edition_id);
CREATE INDEX idx_physical_copies_condition ON physical_copies (condition);

CREATE TRIGGER copy_keeps_its_edition_and_number
BEFORE UPDATE OF edition_id, copy_number ON physical_copies
WHEN NEW.edition_id IS NOT OLD.edition_id OR NEW.copy_number IS NOT OLD.copy_number
BEGIN
    SELECT RAISE(ABORT, 'immutable: a copy keeps its edition and its number');
END;

-- Loans, open and closed. They outlive a membership: what somebody took along is asked back.
CREATE TABLE copy_assignments (
    id TEXT PRIMARY KEY NOT NULL,
    copy_id TEXT NOT NULL REFERENCES physical_copies (id) ON DELETE CASCADE,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    assigned_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (assigned_at GLOB '????-??-??T??:??:??.???Z'),
    assigned_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    returned_at TEXT CHECK (returned_at GLOB '????-??-??T??:??:??.???Z'),
    notes TEXT CHECK (length(notes) <= 4000),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE UNIQUE INDEX idx_copy_assignments_active ON copy_assignments (copy_id) WHERE returned_at IS NULL;
CREATE INDEX idx_copy_assignments_copy_id ON copy_assignments (copy_id);
CREATE INDEX idx_copy_assignments_member_id ON copy_assignments (member_id);
CREATE INDEX idx_copy_assignments_assigned_by ON copy_assignments (assigned_by) WHERE assigned_by IS NOT NULL;

CREATE TRIGGER loan_keeps_its_copy
BEFORE UPDATE OF copy_id ON copy_assignments WHEN NEW.copy_id IS NOT OLD.copy_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a loan stays with its copy');
END;

CREATE TRIGGER lost_copy_is_not_lent
BEFORE INSERT ON copy_assignments
WHEN NEW.returned_at IS NULL AND (SELECT condition FROM physical_copies WHERE id = NEW.copy_id) = 'lost'
BEGIN
    SELECT RAISE(ABORT, 'copy_lost: a lost copy cannot be lent');
END;

CREATE TRIGGER copy_is_lent_to_members_of_its_organization
BEFORE INSERT ON copy_assignments
WHEN NOT EXISTS (
    SELECT 1 FROM physical_copies AS c JOIN editions AS e ON e.id = c.edition_id JOIN works AS w ON w.id = e.work_id
      JOIN member_organizations AS o ON o.org_id = w.org_id AND o.member_id = NEW.member_id
     WHERE c.id = NEW.copy_id)
BEGIN
    SELECT RAISE(ABORT, 'not_a_member: a copy is lent to members of its organization');
END;

-- WHEN what it belongs to still exists: a whole organization may go with everything in it. Its parts go one by one
-- only while nothing is out.
CREATE TRIGGER copy_that_is_out_is_not_deleted
BEFORE DELETE ON physical_copies
WHEN EXISTS (SELECT 1 FROM editions WHERE id = OLD.edition_id)
 AND EXISTS (SELECT 1 FROM copy_assignments WHERE copy_id = OLD.id AND returned_at IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'copy_on_loan: the copy is out; let it be returned first');
END;

CREATE TRIGGER edition_with_copies_out_is_not_deleted
BEFORE DELETE ON editions
WHEN EXISTS (SELECT 1 FROM works WHERE id = OLD.work_id)
 AND EXISTS (
    SELECT 1 FROM physical_copies AS c JOIN copy_assignments AS a ON a.copy_id = c.id AND a.returned_at IS NULL
     WHERE c.edition_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'copy_on_loan: a copy of the edition is out; let it be returned first');
END;

CREATE TRIGGER work_with_copies_out_is_not_deleted
BEFORE DELETE ON works
WHEN EXISTS (SELECT 1 FROM organizations WHERE id = OLD.org_id)
 AND EXISTS (
    SELECT 1 FROM editions AS e JOIN physical_copies AS c ON c.edition_id = e.id
      JOIN copy_assignments AS a ON a.copy_id = c.id AND a.returned_at IS NULL
     WHERE e.work_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'copy_on_loan: a copy of the work is out; let it be returned first');
END;
