-- Works, their editions, and the sections an edition is meant for.

CREATE TABLE works (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    composer TEXT CHECK (composer = trim(composer) AND length(composer) BETWEEN 1 AND 200),
    lyricist TEXT CHECK (lyricist = trim(lyricist) AND length(lyricist) BETWEEN 1 AND 200),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_works_title ON works (title);
CREATE INDEX idx_works_composer ON works (composer);
CREATE INDEX idx_works_org_id ON works (org_id);

CREATE TRIGGER work_keeps_its_organization
BEFORE UPDATE OF org_id ON works WHEN NEW.org_id IS NOT OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a work stays in its organization');
END;

CREATE TABLE editions (
    id TEXT PRIMARY KEY NOT NULL,
    work_id TEXT NOT NULL REFERENCES works (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    arranger TEXT CHECK (arranger = trim(arranger) AND length(arranger) BETWEEN 1 AND 200),
    publisher TEXT CHECK (publisher = trim(publisher) AND length(publisher) BETWEEN 1 AND 200),
    voicing TEXT CHECK (voicing = trim(voicing) AND length(voicing) BETWEEN 1 AND 200),
    edition_type TEXT NOT NULL DEFAULT 'vocal_score' CHECK (edition_type IN
        ('full_score', 'vocal_score', 'part', 'reduction', 'audio', 'video', 'supplementary')),
    license_type TEXT NOT NULL DEFAULT 'owned' CHECK (license_type IN ('public_domain', 'licensed', 'owned')),
    notes TEXT CHECK (length(notes) <= 4000),
    external_url TEXT CHECK (length(external_url) <= 2000
        AND (lower(external_url) GLOB 'http://?*' OR lower(external_url) GLOB 'https://?*')),
    file_key TEXT CHECK (file_key = id),
    file_name TEXT,
    file_size INTEGER CHECK (file_size > 0),
    file_uploaded_at TEXT CHECK (file_uploaded_at GLOB '????-??-??T??:??:??.???Z'),
    file_uploaded_by TEXT REFERENCES members (id),
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z'),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_editions_work_id ON editions (work_id);
CREATE INDEX idx_editions_edition_type ON editions (edition_type);
CREATE INDEX idx_editions_file_uploaded_by ON editions (file_uploaded_by) WHERE file_uploaded_by IS NOT NULL;

CREATE TRIGGER edition_keeps_its_work
BEFORE UPDATE OF work_id ON editions WHEN NEW.work_id IS NOT OLD.work_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: an edition stays with its work');
END;

CREATE TABLE edition_sections (
    edition_id TEXT NOT NULL REFERENCES editions (id) ON DELETE CASCADE,
    section_id TEXT NOT NULL REFERENCES sections (id) ON DELETE CASCADE,
    PRIMARY KEY (edition_id, section_id)
) STRICT;
CREATE INDEX idx_edition_sections_section_id ON edition_sections (section_id);

CREATE TRIGGER edition_is_for_sections_of_its_organization
BEFORE INSERT ON edition_sections
WHEN (SELECT org_id FROM sections WHERE id = NEW.section_id)
    IS NOT (SELECT org_id FROM works WHERE id = (SELECT work_id FROM editions WHERE id = NEW.edition_id))
BEGIN
    SELECT RAISE(ABORT, 'foreign_section: an edition lists sections of its own organization');
END;

CREATE TRIGGER edition_stays_with_sections_of_its_organization
BEFORE UPDATE ON edition_sections
WHEN (SELECT org_id FROM sections WHERE id = NEW.section_id)
    IS NOT (SELECT org_id FROM works WHERE id = (SELECT work_id FROM editions WHERE id = NEW.edition_id))
BEGIN
    SELECT RAISE(ABORT, 'foreign_section: an edition lists sections of its own organization');
END;
