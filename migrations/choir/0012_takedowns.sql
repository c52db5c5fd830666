-- Copyright complaints about editions. claimant_name and claimant_email hold ciphertext.

CREATE TABLE takedowns (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    -- Not RESTRICT: with its organization both sides go in one step; an edition alone has to stay.
    edition_id TEXT NOT NULL REFERENCES editions (id),
    claimant_name TEXT NOT NULL,
    claimant_email TEXT NOT NULL,
    reason TEXT NOT NULL CHECK (length(reason) BETWEEN 1 AND 4000),
    attestation INTEGER NOT NULL DEFAULT 0 CHECK (attestation IN (0, 1)),
    status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected')),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    processed_at TEXT CHECK (processed_at GLOB '????-??-??T??:??:??.???Z'),
    processed_by TEXT REFERENCES members (id),
    resolution_notes TEXT CHECK (length(resolution_notes) <= 4000),
    CHECK ((status = 'pending') = (processed_at IS NULL))
) STRICT;
CREATE INDEX idx_takedowns_edition_id ON takedowns (edition_id);
CREATE INDEX idx_takedowns_org_id ON takedowns (org_id);
CREATE INDEX idx_takedowns_status ON takedowns (status);
CREATE INDEX idx_takedowns_created_at ON takedowns (created_at DESC);
CREATE INDEX idx_takedowns_processed_by ON takedowns (processed_by) WHERE processed_by IS NOT NULL;

CREATE TRIGGER complaint_is_about_an_edition_of_its_organization
BEFORE INSERT ON takedowns
WHEN (SELECT w.org_id FROM editions AS e JOIN works AS w ON w.id = e.work_id WHERE e.id = NEW.edition_id)
    IS NOT NEW.org_id
BEGIN
    SELECT RAISE(ABORT, 'foreign_edition: a complaint is about an edition of its own organization');
END;

CREATE TRIGGER complaint_is_processed_once
BEFORE UPDATE OF status ON takedowns WHEN OLD.status <> 'pending' AND NEW.status IS NOT OLD.status
BEGIN
    SELECT RAISE(ABORT, 'already_processed: the complaint was processed before');
END;

CREATE TRIGGER edition_stays_taken_down
BEFORE UPDATE OF deleted_at ON editions WHEN OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'immutable: what was taken down is not put back; make a new edition');
END;

CREATE TRIGGER edition_with_complaints_is_not_deleted
BEFORE DELETE ON editions
WHEN EXISTS (SELECT 1 FROM works WHERE id = OLD.work_id)
 AND EXISTS (SELECT 1 FROM takedowns WHERE edition_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'in_use: a copyright complaint refers to the edition');
END;

CREATE TRIGGER work_with_complaints_is_not_deleted
BEFORE DELETE ON works
WHEN EXISTS (SELECT 1 FROM organizations WHERE id = OLD.org_id)
 AND EXISTS (SELECT 1 FROM takedowns AS t JOIN editions AS e ON e.id = t.edition_id WHERE e.work_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'in_use: a copyright complaint refers to an edition of the work');
END;
