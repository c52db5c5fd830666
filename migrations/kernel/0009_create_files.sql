-- Files: what is stored under which name, for which row, and which object of the store holds each content.

-- One row for each content the vault keeps. It tells what the store holds now, so it is not set back with the vault.
CREATE TABLE vaultry_blobs (
  sha256      TEXT NOT NULL PRIMARY KEY CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
  size        INTEGER NOT NULL CHECK (size >= 0),
  -- name of the object in the vault's folder of files
  object      TEXT NOT NULL UNIQUE CHECK (length(object) = 36),
  created_at  TEXT NOT NULL CHECK (length(created_at) = 24),
  -- when no file was seen to refer to it; NULL = one does, or nobody has looked since
  released_at TEXT CHECK (length(released_at) = 24)
) STRICT, WITHOUT ROWID;

-- Buckets made by hand; those of the charter are declared and have no row.
CREATE TABLE vaultry_buckets (
  id         TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 100),
  public     INTEGER NOT NULL DEFAULT 0 CHECK (public IN (0, 1)),
  max_bytes  INTEGER CHECK (max_bytes > 0),
  -- media types taken, a JSON list; NULL = all
  types      TEXT CHECK (types IS NULL OR json_valid(types)),
  created_by TEXT NOT NULL,
  created_at TEXT NOT NULL CHECK (length(created_at) = 24),
  updated_at TEXT NOT NULL CHECK (length(updated_at) = 24)
) STRICT, WITHOUT ROWID;

CREATE TABLE vaultry_files (
  id            TEXT NOT NULL PRIMARY KEY,
  bucket        TEXT NOT NULL,
  name          TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 1024 AND name NOT GLOB '/*' AND name NOT GLOB '*/'),
  -- key of the row that owns it, in the table the bucket is declared for; NULL = a bucket made by hand
  row_key       TEXT,
  sha256        TEXT NOT NULL REFERENCES vaultry_blobs (sha256),
  size          INTEGER NOT NULL CHECK (size >= 0),
  content_type  TEXT NOT NULL CHECK (content_type <> ''),
  cache_control TEXT NOT NULL,
  -- what the uploader said of it, a JSON object
  metadata      TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  version       INTEGER NOT NULL DEFAULT 1 CHECK (version > 0),
  uploaded_by   TEXT NOT NULL,
  created_at    TEXT NOT NULL CHECK (length(created_at) = 24),
  updated_at    TEXT NOT NULL CHECK (length(updated_at) = 24),
  UNIQUE (bucket, name)
) STRICT;

-- References to a content are counted in it, and the bytes of all files are summed.
CREATE INDEX vaultry_files_content ON vaultry_files (sha256, size);
CREATE INDEX vaultry_files_row ON vaultry_files (bucket, row_key) WHERE row_key IS NOT NULL;

CREATE TRIGGER vaultry_blob_is_taken_by_a_new_file AFTER INSERT ON vaultry_files
BEGIN
  UPDATE vaultry_blobs SET released_at = NULL WHERE sha256 = NEW.sha256 AND released_at IS NOT NULL;
END;

CREATE TRIGGER vaultry_blob_is_taken_by_a_file AFTER UPDATE OF sha256 ON vaultry_files
BEGIN
  UPDATE vaultry_blobs SET released_at = NULL WHERE sha256 = NEW.sha256 AND released_at IS NOT NULL;
END;

CREATE TRIGGER vaultry_bucket_with_files_stays BEFORE DELETE ON vaultry_buckets
WHEN EXISTS (SELECT 1 FROM vaultry_files WHERE bucket = OLD.id)
BEGIN
  SELECT RAISE(ABORT, 'bucket_not_empty: the bucket still has files');
END;
