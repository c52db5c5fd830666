-- Events, where they are, what is played, and what is said about them.

CREATE TABLE venues (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200),
    address TEXT CHECK (address = trim(address) AND length(address) BETWEEN 1 AND 200),
    city TEXT CHECK (city = trim(city) AND length(city) BETWEEN 1 AND 200),
    state TEXT CHECK (state = trim(state) AND length(state) BETWEEN 1 AND 200),
    zip_code TEXT CHECK (zip_code = trim(zip_code) AND length(zip_code) BETWEEN 1 AND 200),
    directions TEXT CHECK (directions = trim(directions) AND length(directions) BETWEEN 1 AND 2000),
    parking TEXT CHECK (parking = trim(parking) AND length(parking) BETWEEN 1 AND 2000),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_venues_name ON venues (name);

-- program_order: the programme in playing order, [{"piece_id", "notes"}]; it may name a piece twice.
CREATE TABLE events (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 4000),
    type TEXT NOT NULL CHECK (type IN ('CONCERT', 'REHEARSAL', 'SECTIONAL', 'BOARD_MEETING', 'SOCIAL', 'OTHER')),
    start_time TEXT NOT NULL CHECK (start_time GLOB '????-??-??T??:??:??.???Z'),
    end_time TEXT NOT NULL CHECK (end_time GLOB '????-??-??T??:??:??.???Z'),
    location TEXT CHECK (location = trim(location) AND length(location) BETWEEN 1 AND 200),
    venue_id TEXT REFERENCES venues (id) ON DELETE SET NULL,
    call_time TEXT CHECK (call_time GLOB '????-??-??T??:??:??.???Z'),
    dress_code TEXT CHECK (dress_code = trim(dress_code) AND length(dress_code) BETWEEN 1 AND 200),
    program_order TEXT CHECK (program_order IS NULL OR json_valid(program_order)),
    is_cancelled INTEGER NOT NULL DEFAULT 0 CHECK (is_cancelled IN (0, 1)),
    is_published INTEGER NOT NULL DEFAULT 0 CHECK (is_published IN (0, 1)),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z'),
    CONSTRAINT check_event_times CHECK (end_time > start_time),
    CHECK (call_time IS NULL OR call_time <= start_time)
) STRICT;
CREATE INDEX idx_events_type ON events (type);
CREATE INDEX idx_events_any_start_time ON events (start_time);
CREATE INDEX idx_events_start_time ON events (start_time) WHERE is_cancelled = 0;
CREATE INDEX idx_events_is_published ON events (is_published);
CREATE INDEX idx_events_deleted_at ON events (deleted_at);
CREATE INDEX idx_events_venue_id ON events (venue_id) WHERE venue_id IS NOT NULL;

-- Each piece of the programme once, in the order of its first appearance.
CREATE TABLE event_music (
    id TEXT PRIMARY KEY NOT NULL,
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    piece_id TEXT NOT NULL REFERENCES music_pieces (id) ON DELETE CASCADE,
    sort_order INTEGER NOT NULL DEFAULT 0 CHECK (sort_order >= 0),
    notes TEXT CHECK (notes = trim(notes) AND length(notes) BETWEEN 1 AND 1000),
    UNIQUE (event_id, piece_id)
) STRICT;
CREATE INDEX idx_event_music_event_id ON event_music (event_id);
CREATE INDEX idx_event_music_piece_id ON event_music (piece_id);

-- target_section may outlive the section it names.
CREATE TABLE event_notes (
    id TEXT PRIMARY KEY NOT NULL,
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    title TEXT CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    content TEXT NOT NULL CHECK (content = trim(content) AND length(content) BETWEEN 1 AND 4000),
    is_public INTEGER NOT NULL DEFAULT 0 CHECK (is_public IN (0, 1)),
    target_section TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    created_by TEXT,
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK (NOT (is_public = 1 AND target_section IS NOT NULL))
) STRICT;
CREATE INDEX idx_event_notes_event_id ON event_notes (event_id);
