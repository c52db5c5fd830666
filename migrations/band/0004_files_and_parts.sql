-- Files of a piece, its playable parts, and who downloaded what. The bytes lie in the vault's storage.

CREATE TABLE music_files (
    id TEXT PRIMARY KEY NOT NULL,
    piece_id TEXT NOT NULL REFERENCES music_pieces (id) ON DELETE CASCADE,
    file_name TEXT NOT NULL CHECK (file_name = trim(file_name) AND length(file_name) BETWEEN 1 AND 255),
    file_type TEXT NOT NULL
        CHECK (file_type IN
            ('FULL_SCORE', 'CONDUCTOR_SCORE', 'PART', 'CONDENSED_SCORE', 'AUDIO', 'LICENSING', 'OTHER')),
    file_size INTEGER NOT NULL CONSTRAINT check_file_size CHECK (file_size > 0),
    mime_type TEXT NOT NULL CHECK (mime_type = trim(mime_type) AND length(mime_type) BETWEEN 1 AND 100),
    storage_key TEXT NOT NULL UNIQUE,
    storage_url TEXT,
    version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 500),
    is_public INTEGER NOT NULL DEFAULT 0 CHECK (is_public IN (0, 1)),
    uploaded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (uploaded_at GLOB '????-??-??T??:??:??.???Z'),
    uploaded_by TEXT,
    CHECK (NOT (is_public = 1 AND file_type = 'LICENSING'))
) STRICT;
CREATE INDEX idx_music_files_piece_id ON music_files (piece_id);
CREATE INDEX idx_music_files_file_type ON music_files (file_type);

-- A part's name tells one part of the piece from the others.
CREATE TABLE music_parts (
    id TEXT PRIMARY KEY NOT NULL,
    piece_id TEXT NOT NULL REFERENCES music_pieces (id) ON DELETE CASCADE,
    instrument_id TEXT NOT NULL REFERENCES instruments (id) ON DELETE RESTRICT,
    part_name TEXT NOT NULL CHECK (part_name = trim(part_name) AND length(part_name) BETWEEN 1 AND 100),
    file_id TEXT REFERENCES music_files (id) ON DELETE SET NULL,
    is_optional INTEGER NOT NULL DEFAULT 0 CHECK (is_optional IN (0, 1)),
    notes TEXT CHECK (notes = trim(notes) AND length(notes) BETWEEN 1 AND 1000)
) STRICT;
CREATE INDEX idx_music_parts_piece_id ON music_parts (piece_id);
CREATE INDEX idx_music_parts_instrument_id ON music_parts (instrument_id);
CREATE INDEX idx_music_parts_file_id ON music_parts (file_id) WHERE file_id IS NOT NULL;
CREATE UNIQUE INDEX idx_music_parts_name ON music_parts (piece_id, part_name COLLATE NOCASE);

CREATE TRIGGER part_is_played_from_its_own_piece
BEFORE INSERT ON music_parts
WHEN NEW.file_id IS NOT NULL AND (SELECT piece_id FROM music_files WHERE id = NEW.file_id) IS NOT NEW.piece_id
BEGIN
    SELECT RAISE(ABORT, 'file_of_other_piece: a part is played from a file of its own piece');
END;

CREATE TRIGGER part_stays_with_its_own_piece
BEFORE UPDATE OF piece_id, file_id ON music_parts
WHEN NEW.file_id IS NOT NULL AND (SELECT piece_id FROM music_files WHERE id = NEW.file_id) IS NOT NEW.piece_id
BEGIN
    SELECT RAISE(ABORT, 'file_of_other_piece: a part is played from a file of its own piece');
END;

-- user_id names nobody for an anonymous download; it may outlive the user.
CREATE TABLE file_downloads (
    id TEXT PRIMARY KEY NOT NULL,
    file_id TEXT NOT NULL REFERENCES music_files (id) ON DELETE CASCADE,
    user_id TEXT,
    downloaded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (downloaded_at GLOB '????-??-??T??:??:??.???Z'),
    ip_address TEXT,
    user_agent TEXT
) STRICT;
CREATE INDEX idx_file_downloads_file_id ON file_downloads (file_id);
CREATE INDEX idx_file_downloads_user_id ON file_downloads (user_id);
CREATE INDEX idx_file_downloads_downloaded_at ON file_downloads (downloaded_at);
CREATE INDEX idx_file_downloads_file_user ON file_downloads (file_id, user_id);
