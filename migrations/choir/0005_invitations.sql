-- Open invitations and the placements to apply on acceptance. An accepted invitation is deleted.

CREATE TABLE invites (
    id TEXT PRIMARY KEY NOT NULL,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    token TEXT NOT NULL UNIQUE CHECK (length(token) = 64 AND token NOT GLOB '*[^0-9a-f]*'),
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    roster_member_id TEXT REFERENCES members (id),
    invited_by TEXT NOT NULL REFERENCES members (id),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    expires_at TEXT NOT NULL CHECK (expires_at GLOB '????-??-??T??:??:??.???Z' AND expires_at > created_at)
) STRICT;
CREATE INDEX idx_invites_org_id ON invites (org_id);
CREATE INDEX idx_invites_invited_by ON invites (invited_by);
-- One invitation per person: an expired one is replaced, never kept beside the new one.
CREATE UNIQUE INDEX idx_invites_roster_member_id ON invites (roster_member_id) WHERE roster_member_id IS NOT NULL;

CREATE TABLE invite_voices (
    invite_id TEXT NOT NULL REFERENCES invites (id) ON DELETE CASCADE,
    voice_id TEXT NOT NULL REFERENCES voices (id) ON DELETE CASCADE,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    PRIMARY KEY (invite_id, voice_id)
) STRICT;
CREATE INDEX idx_invite_voices_invite_id ON invite_voices (invite_id);
CREATE INDEX idx_invite_voices_voice_id ON invite_voices (voice_id);

CREATE TRIGGER invite_names_voices_of_its_organization
BEFORE INSERT ON invite_voices
WHEN (SELECT org_id FROM voices WHERE id = NEW.voice_id) IS NOT (SELECT org_id FROM invites WHERE id = NEW.invite_id)
BEGIN
    SELECT RAISE(ABORT, 'foreign_voice: an invitation names voices of its own organization');
END;

CREATE TABLE invite_sections (
    invite_id TEXT NOT NULL REFERENCES invites (id) ON DELETE CASCADE,
    section_id TEXT NOT NULL REFERENCES sections (id) ON DELETE CASCADE,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    PRIMARY KEY (invite_id, section_id)
) STRICT;
CREATE INDEX idx_invite_sections_invite_id ON invite_sections (invite_id);
CREATE INDEX idx_invite_sections_section_id ON invite_sections (section_id);

CREATE TRIGGER invite_names_sections_of_its_organization
BEFORE INSERT ON invite_sections
WHEN (SELECT org_id FROM sections WHERE id = NEW.section_id) IS NOT (SELECT org_id FROM invites WHERE id = NEW.invite_id)
BEGIN
    SELECT RAISE(ABORT, 'foreign_section: an invitation names sections of its own organization');
END;
