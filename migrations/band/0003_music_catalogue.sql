-- The catalogue: composers, publishers, pieces, and the indexes that find a piece by its words.

CREATE TABLE persons (
    id TEXT PRIMARY KEY NOT NULL,
    first_name TEXT NOT NULL CHECK (first_name = trim(first_name) AND length(first_name) <= 100),
    last_name TEXT NOT NULL CHECK (last_name = trim(last_name) AND length(last_name) BETWEEN 1 AND 100),
    full_name TEXT NOT NULL
        CHECK (full_name = CASE WHEN first_name = '' THEN last_name ELSE last_name || ', ' || first_name END),
    bio TEXT CHECK (bio = trim(bio) AND length(bio) BETWEEN 1 AND 4000),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_persons_last_name_first_name ON persons (last_name, first_name);
CREATE INDEX idx_persons_full_name ON persons (full_name COLLATE NOCASE);

CREATE TABLE publishers (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL CHECK (name = trim(name) AND length(name) BETWEEN 1 AND 200) UNIQUE,
    website TEXT,
    contact_info TEXT CHECK (contact_info = trim(contact_info) AND length(contact_info) BETWEEN 1 AND 1000),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

CREATE TABLE music_pieces (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    subtitle TEXT CHECK (subtitle = trim(subtitle) AND length(subtitle) BETWEEN 1 AND 200),
    composer_id TEXT REFERENCES persons (id) ON DELETE SET NULL,
    arranger_id TEXT REFERENCES persons (id) ON DELETE SET NULL,
    publisher_id TEXT REFERENCES publishers (id) ON DELETE SET NULL,
    difficulty TEXT CHECK (difficulty IN ('GRADE_1', 'GRADE_2', 'GRADE_3', 'GRADE_4', 'GRADE_5', 'GRADE_6')),
    duration INTEGER CHECK (duration > 0),
    genre TEXT CHECK (genre = trim(genre) AND length(genre) BETWEEN 1 AND 100),
    style TEXT CHECK (style = trim(style) AND length(style) BETWEEN 1 AND 100),
    instrumentation TEXT CHECK (instrumentation = trim(instrumentation) AND length(instrumentation) BETWEEN 1 AND 2000),
    tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags) AND json_type(tags) = 'array'),
    catalog_number TEXT
        CHECK (catalog_number = trim(catalog_number) AND length(catalog_number) BETWEEN 1 AND 100) UNIQUE,
    notes TEXT CHECK (notes = trim(notes) AND length(notes) BETWEEN 1 AND 4000),
    performance_history TEXT
        CHECK (performance_history = trim(performance_history) AND length(performance_history) BETWEEN 1 AND 4000),
    is_archived INTEGER NOT NULL DEFAULT 0 CHECK (is_archived IN (0, 1)),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;
CREATE INDEX idx_music_pieces_title ON music_pieces (title);
CREATE INDEX idx_music_pieces_composer_id ON music_pieces (composer_id);
CREATE INDEX idx_music_pieces_difficulty ON music_pieces (difficulty);
CREATE INDEX idx_music_pieces_is_archived ON music_pieces (is_archived);
CREATE INDEX idx_music_pieces_deleted_at ON music_pieces (deleted_at);
CREATE INDEX idx_music_pieces_arranger_id ON music_pieces (arranger_id) WHERE arranger_id IS NOT NULL;
CREATE INDEX idx_music_pieces_publisher_id ON music_pieces (publisher_id) WHERE publisher_id IS NOT NULL;

-- Both indexes are keyed by piece_id: VACUUM may renumber the implicit rowids of a table with a text key.
CREATE VIRTUAL TABLE music_pieces_fts USING fts5(
    piece_id UNINDEXED, title, subtitle, notes, tokenize = 'porter unicode61 remove_diacritics 2'
);

CREATE TRIGGER music_pieces_fts_follows_insert AFTER INSERT ON music_pieces
BEGIN
    INSERT INTO music_pieces_fts (piece_id, title, subtitle, notes) VALUES (NEW.id, NEW.title, NEW.subtitle, NEW.notes);
END;

CREATE TRIGGER music_pieces_fts_follows_update AFTER UPDATE OF title, subtitle, notes ON music_pieces
BEGIN
    DELETE FROM music_pieces_fts WHERE piece_id = OLD.id;
    INSERT INTO music_pieces_fts (piece_id, title, subtitle, notes) VALUES (NEW.id, NEW.title, NEW.subtitle, NEW.notes);
END;

CREATE TRIGGER music_pieces_fts_follows_delete AFTER DELETE ON music_pieces
BEGIN
    DELETE FROM music_pieces_fts WHERE piece_id = OLD.id;
END;

CREATE VIRTUAL TABLE music_pieces_title_tri USING fts5(piece_id UNINDEXED, title, tokenize = 'trigram');

CREATE TRIGGER music_pieces_title_tri_follows_insert AFTER INSERT ON music_pieces
BEGIN
    INSERT INTO music_pieces_title_tri (piece_id, title) VALUES (NEW.id, NEW.title);
END;

CREATE TRIGGER music_pieces_title_tri_follows_update AFTER UPDATE OF title ON music_pieces
BEGIN
    DELETE FROM music_pieces_title_tri WHERE piece_id = OLD.id;
    INSERT INTO music_pieces_title_tri (piece_id, title) VALUES (NEW.id, NEW.title);
END;

CREATE TRIGGER music_pieces_title_tri_follows_delete AFTER DELETE ON music_pieces
BEGIN
    DELETE FROM music_pieces_title_tri WHERE piece_id = OLD.id;
END;
