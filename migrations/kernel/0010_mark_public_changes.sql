-- What anybody may read of a vault, such as its line in a directory, is gathered outside of it. Triggers of the charter
-- set a new mark whenever that changes, so that who gathers sees whether what he has is out of date.
CREATE TABLE vaultry_publication (
  only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
  -- random, so that a vault set back to an earlier point never has the mark of another content
  mark     TEXT NOT NULL CHECK (length(mark) = 16)
) STRICT;

INSERT INTO vaultry_publication (only_row, mark) VALUES (1, '0000000000000000');
