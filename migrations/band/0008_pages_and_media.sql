-- The band's web pages with all their versions, and the pictures and documents in them.

CREATE TABLE pages (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 200),
    slug TEXT NOT NULL CHECK (slug = trim(slug) AND length(slug) BETWEEN 1 AND 200) UNIQUE,
    description TEXT CHECK (description = trim(description) AND length(description) BETWEEN 1 AND 500),
    content TEXT NOT NULL CHECK (json_valid(content)),
    raw_markdown TEXT,
    meta_title TEXT CHECK (meta_title = trim(meta_title) AND length(meta_title) BETWEEN 1 AND 200),
    meta_description TEXT
        CHECK (meta_description = trim(meta_description) AND length(meta_description) BETWEEN 1 AND 500),
    meta_keywords TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(meta_keywords) AND json_type(meta_keywords) = 'array'),
    og_image TEXT,
    status TEXT NOT NULL DEFAULT 'DRAFT' CHECK (status IN ('DRAFT', 'SCHEDULED', 'PUBLISHED', 'ARCHIVED')),
    published_at TEXT CHECK (published_at GLOB '????-??-??T??:??:??.???Z'),
    scheduled_for TEXT CHECK (scheduled_for GLOB '????-??-??T??:??:??.???Z'),
    version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
    parent_version_id TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    created_by TEXT,
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
    updated_by TEXT,
    deleted_at TEXT CHECK (deleted_at GLOB '????-??-??T??:??:??.???Z'),
    CHECK (status <> 'SCHEDULED' OR scheduled_for IS NOT NULL),
    CHECK (status <> 'PUBLISHED' OR published_at IS NOT NULL)
) STRICT;
CREATE INDEX idx_pages_status ON pages (status);
CREATE INDEX idx_pages_published_at ON pages (published_at);
CREATE INDEX idx_pages_scheduled_for ON pages (scheduled_for) WHERE status = 'SCHEDULED';

CREATE VIRTUAL TABLE pages_fts USING fts5(
    page_id UNINDEXED, title, description, raw_markdown, tokenize = 'porter unicode61 remove_diacritics 2'
);

CREATE TRIGGER pages_fts_follows_insert AFTER INSERT ON pages
BEGIN
    INSERT INTO pages_fts (page_id, title, description, raw_markdown)
    VALUES (NEW.id, NEW.title, NEW.description, NEW.raw_markdown);
END;

CREATE TRIGGER pages_fts_follows_update AFTER UPDATE OF title, description, raw_markdown ON pages
BEGIN
    DELETE FROM pages_fts WHERE page_id = OLD.id;
    INSERT INTO pages_fts (page_id, title, description, raw_markdown)
    VALUES (NEW.id, NEW.title, NEW.description, NEW.raw_markdown);
END;

CREATE TRIGGER pages_fts_follows_delete AFTER DELETE ON pages
BEGIN
    DELETE FROM pages_fts WHERE page_id = OLD.id;
END;

CREATE TABLE page_versions (
    id TEXT PRIMARY KEY NOT NULL,
    page_id TEXT NOT NULL REFERENCES pages (id) ON DELETE CASCADE,
    version INTEGER NOT NULL CHECK (version >= 1),
    content TEXT NOT NULL CHECK (json_valid(content)),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
    created_by TEXT,
    UNIQUE (page_id, version)
) STRICT;
CREATE INDEX idx_page_versions_page_id ON page_versions (page_id);

CREATE TRIGGER page_version_is_never_rewritten
BEFORE UPDATE ON page_versions
BEGIN
    SELECT RAISE(ABORT, 'immutable: a version of a page stays as it was written');
END;

CREATE TABLE media_assets (
    id TEXT PRIMARY KEY NOT NULL,
    file_name TEXT NOT NULL CHECK (file_name = trim(file_name) AND length(file_name) BETWEEN 1 AND 255),
    file_size INTEGER NOT NULL CHECK (file_size > 0),
    mime_type TEXT NOT NULL CHECK (mime_type = trim(mime_type) AND length(mime_type) BETWEEN 1 AND 100),
    storage_key TEXT NOT NULL,
    storage_url TEXT,
    title TEXT CHECK (title = trim(title) AND length(title) BETWEEN 1 AND 255),
    alt_text TEXT CHECK (alt_text = trim(alt_text) AND length(alt_text) BETWEEN 1 AND 500),
    caption TEXT CHECK (caption = trim(caption) AND length(caption) BETWEEN 1 AND 1000),
    tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags) AND json_type(tags) = 'array'),
    width INTEGER CHECK (width > 0),
    height INTEGER CHECK (height > 0),
    uploaded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        CHECK (uploaded_at GLOB '????-??-??T??:??:??.???Z'),
    uploaded_by TEXT
) STRICT;
CREATE INDEX idx_media_assets_mime_type ON media_assets (mime_type);
CREATE INDEX idx_media_assets_uploaded_at ON media_assets (uploaded_at);
