-- What somebody is able to sing (voices), where somebody stands (sections), and the members in both.

CREATE TABLE voices (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    abbreviation TEXT NOT NULL CHECK (abbreviation = trim(abbreviation) AND length(abbreviation) BETWEEN 1 AND 8),
    category TEXT NOT NULL CHECK (category IN ('vocal', 'instrumental')),
    range_group TEXT CHECK (length(range_group) BETWEEN 1 AND 200),
    display_order INTEGER NOT NULL,
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    UNIQUE (org_id, name)
) STRICT;
CREATE INDEX idx_voices_org_id ON voices (org_id);
CREATE INDEX idx_voices_category ON voices (category);
CREATE INDEX idx_voices_display_order ON voices (display_order);

CREATE TRIGGER voice_keeps_its_organization
BEFORE UPDATE OF org_id ON voices WHEN NEW.org_id IS NOT OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a voice stays in its organization');
END;

CREATE TABLE sections (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    abbreviation TEXT NOT NULL CHECK (abbreviation = trim(abbreviation) AND length(abbreviation) BETWEEN 1 AND 8),
    parent_section_id TEXT REFERENCES sections (id),
    display_order INTEGER NOT NULL,
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    UNIQUE (org_id, name)
) STRICT;
CREATE INDEX idx_sections_org_id ON sections (org_id);
CREATE INDEX idx_sections_display_order ON sections (display_order);
CREATE INDEX idx_sections_parent_section_id ON sections (parent_section_id);

CREATE TRIGGER section_keeps_its_organization
BEFORE UPDATE OF org_id ON sections WHEN NEW.org_id IS NOT OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a section stays in its organization');
END;

-- A view, because a trigger may not hold a WITH RECURSIVE of its own. UNION ends the walk in a cycle.
CREATE VIEW section_ancestors (section_id, ancestor_id) AS
WITH RECURSIVE above (section_id, ancestor_id) AS (
    SELECT id, parent_section_id FROM sections WHERE parent_section_id IS NOT NULL
    UNION
    SELECT above.section_id, sections.parent_section_id
      FROM above JOIN sections ON sections.id = above.ancestor_id
     WHERE sections.parent_section_id IS NOT NULL
)
SELECT section_id, ancestor_id FROM above;

CREATE TRIGGER section_parent_is_of_the_same_organization
BEFORE INSERT ON sections
WHEN NEW.parent_section_id IS NOT NULL AND NEW.parent_section_id <> NEW.id
 AND (SELECT org_id FROM sections WHERE id = NEW.parent_section_id) IS NOT NEW.org_id
BEGIN
    SELECT RAISE(ABORT, 'foreign_parent: a section and its parent belong to one organization');
END;

CREATE TRIGGER section_parent_stays_in_the_same_organization
BEFORE UPDATE OF parent_section_id ON sections
WHEN NEW.parent_section_id IS NOT NULL
 AND (SELECT org_id FROM sections WHERE id = NEW.parent_section_id) IS NOT NEW.org_id
BEGIN
    SELECT RAISE(ABORT, 'foreign_parent: a section and its parent belong to one organization');
END;

CREATE TRIGGER section_is_not_its_own_ancestor
AFTER INSERT ON sections
WHEN EXISTS (SELECT 1 FROM section_ancestors WHERE section_id = NEW.id AND ancestor_id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'section_cycle: a section cannot stand below itself');
END;

CREATE TRIGGER section_does_not_become_its_own_ancestor
AFTER UPDATE OF parent_section_id ON sections
WHEN EXISTS (SELECT 1 FROM section_ancestors WHERE section_id = NEW.id AND ancestor_id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'section_cycle: a section cannot stand below itself');
END;

CREATE TABLE member_voices (
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    voice_id TEXT NOT NULL REFERENCES voices (id) ON DELETE CASCADE,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    assigned_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) CHECK (assigned_at GLOB '????-??-??T??:??:??.???Z'),
    assigned_by TEXT REFERENCES members (id),
    notes TEXT CHECK (length(notes) <= 4000),
    PRIMARY KEY (member_id, voice_id)
) STRICT;
CREATE INDEX idx_member_voices_member_id ON member_voices (member_id);
CREATE INDEX idx_member_voices_voice_id ON member_voices (voice_id);
CREATE INDEX idx_member_voices_is_primary ON member_voices (is_primary) WHERE is_primary = 1;
CREATE INDEX idx_member_voices_assigned_by ON member_voices (assigned_by) WHERE assigned_by IS NOT NULL;

CREATE TRIGGER enforce_single_primary_voice
AFTER INSERT ON member_voices
WHEN NEW.is_primary = 1
BEGIN
    UPDATE member_voices SET is_primary = 0
     WHERE member_id = NEW.member_id AND voice_id <> NEW.voice_id AND is_primary = 1
       AND voice_id IN (SELECT id FROM voices WHERE org_id = (SELECT org_id FROM voices WHERE id = NEW.voice_id));
END;

CREATE TRIGGER enforce_single_primary_voice_update
AFTER UPDATE OF is_primary ON member_voices
WHEN NEW.is_primary = 1
BEGIN
    UPDATE member_voices SET is_primary = 0
     WHERE member_id = NEW.member_id AND voice_id <> NEW.voice_id AND is_primary = 1
       AND voice_id IN (SELECT id FROM voices WHERE org_id = (SELECT org_id FROM voices WHERE id = NEW.voice_id));
END;

CREATE TRIGGER voice_is_for_members_of_its_organization
BEFORE INSERT ON member_voices
WHEN NOT EXISTS (
    SELECT 1 FROM voices AS placed JOIN member_organizations AS membership USING (org_id)
     WHERE placed.id = NEW.voice_id AND membership.member_id = NEW.member_id)
BEGIN
    SELECT RAISE(ABORT, 'not_a_member: a voice is held by members of its organization');
END;

CREATE TRIGGER voice_stays_with_members_of_its_organization
BEFORE UPDATE OF member_id, voice_id ON member_voices
WHEN NOT EXISTS (
    SELECT 1 FROM voices AS placed JOIN member_organizations AS membership USING (org_id)
     WHERE placed.id = NEW.voice_id AND membership.member_id = NEW.member_id)
BEGIN
    SELECT RAISE(ABORT, 'not_a_member: a voice is held by members of its organization');
END;

CREATE TABLE member_sections (
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    section_id TEXT NOT NULL REFERENCES sections (id) ON DELETE CASCADE,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    joined_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) CHECK (joined_at GLOB '????-??-??T??:??:??.???Z'),
    assigned_by TEXT REFERENCES members (id),
    notes TEXT CHECK (length(notes) <= 4000),
    PRIMARY KEY (member_id, section_id)
) STRICT;
CREATE INDEX idx_member_sections_member_id ON member_sections (member_id);
CREATE INDEX idx_member_sections_section_id ON member_sections (section_id);
CREATE INDEX idx_member_sections_is_primary ON member_sections (is_primary) WHERE is_primary = 1;
CREATE INDEX idx_member_sections_assigned_by ON member_sections (assigned_by) WHERE assigned_by IS NOT NULL;

CREATE TRIGGER enforce_single_primary_section
AFTER INSERT ON member_sections
WHEN NEW.is_primary = 1
BEGIN
    UPDATE member_sections SET is_primary = 0
     WHERE member_id = NEW.member_id AND section_id <> NEW.section_id AND is_primary = 1
       AND section_id IN (SELECT id FROM sections WHERE org_id = (SELECT org_id FROM sections WHERE id = NEW.section_id));
END;

CREATE TRIGGER enforce_single_primary_section_update
AFTER UPDATE OF is_primary ON member_sections
WHEN NEW.is_primary = 1
BEGIN
    UPDATE member_sections SET is_primary = 0
     WHERE member_id = NEW.member_id AND section_id <> NEW.section_id AND is_primary = 1
       AND section_id IN (SELECT id FROM sections WHERE org_id = (SELECT org_id FROM sections WHERE id = NEW.section_id));
END;

CREATE TRIGGER section_is_for_members_of_its_organization
BEFORE INSERT ON member_sections
WHEN NOT EXISTS (
    SELECT 1 FROM sections AS placed JOIN member_organizations AS membership USING (org_id)
     WHERE placed.id = NEW.section_id AND membership.member_id = NEW.member_id)
BEGIN
    SELECT RAISE(ABORT, 'not_a_member: a section is held by members of its organization');
END;

CREATE TRIGGER section_stays_with_members_of_its_organization
BEFORE UPDATE OF member_id, section_id ON member_sections
WHEN NOT EXISTS (
    SELECT 1 FROM sections AS placed JOIN member_organizations AS membership USING (org_id)
     WHERE placed.id = NEW.section_id AND membership.member_id = NEW.member_id)
BEGIN
    SELECT RAISE(ABORT, 'not_a_member: a section is held by members of its organization');
END;

CREATE TRIGGER membership_takes_placements_along
AFTER DELETE ON member_organizations
BEGIN
    DELETE FROM member_voices
     WHERE member_id = OLD.member_id AND voice_id IN (SELECT id FROM voices WHERE org_id = OLD.org_id);
    DELETE FROM member_sections
     WHERE member_id = OLD.member_id AND section_id IN (SELECT id FROM sections WHERE org_id = OLD.org_id);
END;
