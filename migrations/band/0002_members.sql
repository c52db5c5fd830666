-- The people of the band: their instruments and sections.

-- email, phone and the emergency columns hold ciphertext. leave_date ends the membership; a leave of absence has none.
CREATE TABLE members (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE SET NULL UNIQUE,
    first_name TEXT NOT NULL CHECK (first_name = trim(first_name) AND length(first_name) BETWEEN 1 AND 100),
    last_name TEXT NOT NULL CHECK (last_name = trim(last_name) AND length(last_name) BETWEEN 1 AND 100),
    email TEXT,
    email_hash TEXT,
    phone TEXT,
    profile_photo TEXT,
    status TEXT NOT NULL DEFAULT 'PENDING'
        CHECK (status IN ('ACTIVE', 'INACTIVE', 'LEAVE_OF_ABSENCE', 'ALUMNI', 'AUDITION', 'PENDING')),
    join_date TEXT CHECK (join_date GLOB '????-??-??T??:??:??.???Z'),
    leave_date TEXT CHECK (leave_date GLOB '????-??-??T??:??:??.???Z'),
    emergency_name TEXT,
    emergency_phone TEXT,
    emergency_email TEXT,
    notes TEXT CHECK (notes = trim(notes) AND length(notes) BETWEEN 1 AND 4000),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK (leave_date IS NULL OR join_date IS NULL OR leave_date >= join_date),
    CHECK ((email IS NULL) = (email_hash IS NULL))
) STRICT;
CREATE INDEX idx_members_any_status ON members (status);
CREATE INDEX idx_members_status ON members (status) WHERE deleted_at IS NULL;
CREATE INDEX idx_members_last_name_first_name ON members (last_name, first_name);
CREATE INDEX idx_members_deleted_at ON members (deleted_at);
CREATE INDEX idx_members_email_hash ON members (email_hash);

CREATE TABLE instruments (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 100) UNIQUE,
    family TEXT NOT NULL CHECK (family IN ('Woodwind', 'Brass', 'Percussion', 'String', 'Keyboard')),
    sort_order INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_instruments_family ON instruments (family);
CREATE INDEX idx_instruments_sort_order ON instruments (sort_order);

CREATE TABLE member_instruments (
    id TEXT PRIMARY KEY NOT NULL,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    instrument_id TEXT NOT NULL REFERENCES instruments (id) ON DELETE RESTRICT,
    is_primary INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    UNIQUE (member_id, instrument_id)
) STRICT;
CREATE INDEX idx_member_instruments_member_id ON member_instruments (member_id);
CREATE INDEX idx_member_instruments_instrument_id ON member_instruments (instrument_id);
CREATE UNIQUE INDEX idx_member_instruments_primary ON member_instruments (member_id) WHERE is_primary = 1;

CREATE TABLE sections (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 100) UNIQUE,
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 500),
    sort_order INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_sections_sort_order ON sections (sort_order);

CREATE TABLE member_sections (
    id TEXT PRIMARY KEY NOT NULL,
    member_id TEXT NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    section_id TEXT NOT NULL REFERENCES sections (id) ON DELETE RESTRICT,
    is_leader INTEGER NOT NULL DEFAULT 0 CHECK (is_leader IN (0, 1)),
    assigned_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (assigned_at GLOB '????-??-??T??:??:??.???Z'),
    UNIQUE (member_id, section_id)
) STRICT;
CREATE INDEX idx_member_sections_member_id ON member_sections (member_id);
CREATE INDEX idx_member_sections_section_id ON member_sections (section_id);
