-- What the engine's proofs write to: one of each kind of table, reference and trigger that the engine must cope with.
CREATE TABLE counters (
  id    TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT;

CREATE TABLE requests (
  id   TEXT NOT NULL PRIMARY KEY,
  note TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE shelves (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE books (
  id       INTEGER PRIMARY KEY,
  shelf_id INTEGER NOT NULL REFERENCES shelves (id) ON DELETE CASCADE,
  title    TEXT NOT NULL,
  price    REAL,
  cover    BLOB,
  extra    ANY
) STRICT;

CREATE TABLE loans (
  book_id   INTEGER REFERENCES books (id) ON DELETE SET NULL,
  reader    TEXT NOT NULL,
  PRIMARY KEY (reader)
) STRICT;

CREATE TABLE pledges (
  id      INTEGER PRIMARY KEY,
  book_id INTEGER NOT NULL REFERENCES books (id) DEFERRABLE INITIALLY DEFERRED
) STRICT;

CREATE TABLE people (
  id           INTEGER PRIMARY KEY,
  email        TEXT,
  email_lookup TEXT,
  name         TEXT
) STRICT;

CREATE TABLE renamings (
  id       INTEGER PRIMARY KEY,
  old_name TEXT NOT NULL,
  new_name TEXT NOT NULL
) STRICT;

CREATE TRIGGER shelves_note_renamings AFTER UPDATE OF name ON shelves WHEN OLD.name <> NEW.name
BEGIN
  INSERT INTO renamings (old_name, new_name) VALUES (OLD.name, NEW.name);
END;

CREATE VIEW shelf_names AS SELECT id, name FROM shelves;

CREATE TRIGGER shelf_names_insert INSTEAD OF INSERT ON shelf_names
BEGIN
  INSERT INTO shelves (name) VALUES (NEW.name);
END;
