-- Choirs, associations, people, and who belongs where.

CREATE TABLE organizations (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    subdomain TEXT NOT NULL UNIQUE
        CHECK (length(subdomain) BETWEEN 3 AND 30 AND subdomain NOT GLOB '*[^a-z0-9-]*'
               AND subdomain NOT GLOB '-*' AND subdomain NOT GLOB '*-'),
    type TEXT NOT NULL CHECK (type IN ('umbrella', 'collective')),
    contact_email TEXT NOT NULL CHECK (length(contact_email) BETWEEN 5 AND 254),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    language TEXT CHECK (length(language) BETWEEN 1 AND 35),
    locale TEXT CHECK (length(locale) BETWEEN 1 AND 35),
    timezone TEXT CHECK (length(timezone) BETWEEN 1 AND 64),
    trust_individual_responsibility INTEGER NOT NULL DEFAULT 0 CHECK (trust_individual_responsibility IN (0, 1))
) STRICT;
CREATE INDEX idx_organizations_subdomain ON organizations (subdomain);
CREATE INDEX idx_organizations_type ON organizations (type);

CREATE TRIGGER organizations_keep_subdomain_and_type
BEFORE UPDATE OF subdomain, type ON organizations
WHEN NEW.subdomain IS NOT OLD.subdomain OR NEW.type IS NOT OLD.type
BEGIN
    SELECT RAISE(ABORT, 'immutable: the subdomain and the type of an organization never change');
END;

-- email_id and email_contact hold ciphertext; email_id_lookup is the keyed hash of the sign-in address.
CREATE TABLE members (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    nickname TEXT CHECK (nickname = trim(nickname) AND length(nickname) BETWEEN 1 AND 200),
    email_id TEXT,
    email_id_lookup TEXT,
    email_contact TEXT,
    invited_by TEXT REFERENCES members (id),
    joined_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (joined_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK ((email_id IS NULL) = (email_id_lookup IS NULL))
) STRICT;
CREATE UNIQUE INDEX idx_members_email_id ON members (email_id_lookup) WHERE email_id_lookup IS NOT NULL;
CREATE INDEX idx_members_nickname ON members (nickname) WHERE nickname IS NOT NULL;
CREATE INDEX idx_members_invited_by ON members (invited_by) WHERE invited_by IS NOT NULL;

CREATE TABLE member_organizations (
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    org_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    nickname TEXT CHECK (nickname = trim(nickname) AND length(nickname) BETWEEN 1 AND 200),
    invited_by TEXT REFERENCES members (id) ON DELETE SET NULL,
    joined_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (joined_at GLOB '????-??-??T??:??:??.???Z'),
    PRIMARY KEY (member_id, org_id)
) STRICT;
CREATE INDEX idx_member_organizations_org_id ON member_organizations (org_id);
CREATE INDEX idx_member_organizations_member_id ON member_organizations (member_id);
CREATE INDEX idx_member_organizations_invited_by ON member_organizations (invited_by) WHERE invited_by IS NOT NULL;

-- A person without a sign-in address is one choir's own entry.
CREATE TRIGGER roster_person_joins_one_organization
BEFORE INSERT ON member_organizations
WHEN EXISTS (SELECT 1 FROM members WHERE id = NEW.member_id AND email_id IS NULL)
 AND EXISTS (SELECT 1 FROM member_organizations WHERE member_id = NEW.member_id AND org_id <> NEW.org_id)
BEGIN
    SELECT RAISE(ABORT, 'duplicate: a roster-only person belongs to one organization');
END;

CREATE TRIGGER membership_keeps_its_key
BEFORE UPDATE OF member_id, org_id ON member_organizations
WHEN NEW.member_id IS NOT OLD.member_id OR NEW.org_id IS NOT OLD.org_id
BEGIN
    SELECT RAISE(ABORT, 'immutable: a membership is ended and made anew, never moved');
END;

CREATE TRIGGER roster_person_stays_in_one_organization
BEFORE UPDATE OF email_id ON members
WHEN NEW.email_id IS NULL AND OLD.email_id IS NOT NULL
 AND (SELECT count(*) FROM member_organizations WHERE member_id = OLD.id) > 1
BEGIN
    SELECT RAISE(ABORT, 'duplicate: a member of several organizations keeps a sign-in address');
END;

CREATE TABLE affiliations (
    id TEXT PRIMARY KEY NOT NULL,
    collective_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    umbrella_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    joined_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (joined_at GLOB '????-??-??T??:??:??.???Z'),
    left_at TEXT CHECK (left_at GLOB '????-??-??T??:??:??.???Z' AND left_at >= joined_at),
    UNIQUE (collective_id, umbrella_id, joined_at)
) STRICT;
CREATE UNIQUE INDEX idx_affiliations_active ON affiliations (collective_id, umbrella_id) WHERE left_at IS NULL;
CREATE INDEX idx_affiliations_collective_id ON affiliations (collective_id);
CREATE INDEX idx_affiliations_umbrella_id ON affiliations (umbrella_id);

CREATE TRIGGER affiliation_joins_collective_to_umbrella
BEFORE INSERT ON affiliations
WHEN (SELECT type FROM organizations WHERE id = NEW.collective_id) IS NOT 'collective'
  OR (SELECT type FROM organizations WHERE id = NEW.umbrella_id) IS NOT 'umbrella'
BEGIN
    SELECT RAISE(ABORT, 'wrong_type: an affiliation joins one collective to one umbrella');
END;
