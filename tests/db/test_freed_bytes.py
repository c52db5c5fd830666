"""Overwriting free bytes: nothing that was deleted is left in the file, everything that is there stays as it is."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from db.forgetting.freed_bytes import overwrite_freed_bytes

LENGTHS = (0, 5, 60, 300, 3000)
TABLES = """
CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, v TEXT, n INTEGER) STRICT;
CREATE INDEX i ON t (v);
CREATE TABLE w (k TEXT PRIMARY KEY NOT NULL, v TEXT) STRICT, WITHOUT ROWID;
"""


def rows_of(connection: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    return [connection.execute(f"SELECT {more} FROM {name} ORDER BY 1").fetchall() for name, more in SHOWN.items()]


SHOWN = {"t": "rowid, *", "w": "*"}


def marked(number: int) -> str:
    return f"MARK{number:05d}"


def worn_file(path: Path, page_bytes: int, chance: random.Random) -> tuple[list[int], list[int]]:
    """A file in which most rows were deleted or changed; their numbers, and the first pages of what is in it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {page_bytes}")
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        connection.executescript(TABLES)
        for number in range(300):
            value = marked(number) + chance.choice("abc") * chance.choice(LENGTHS)
            connection.execute("INSERT INTO t VALUES (?, ?, ?)", (str(number), value, number))
            connection.execute("INSERT INTO w VALUES (?, ?)", (marked(number), value))
        gone = chance.sample(range(300), 220)
        for number in gone:
            if number % 3:
                connection.execute("DELETE FROM t WHERE id = ?", (str(number),))
            else:
                connection.execute("UPDATE t SET v = 'kept' WHERE id = ?", (str(number),))
            connection.execute("DELETE FROM w WHERE k = ?", (marked(number),))
        roots = connection.execute("SELECT rootpage FROM sqlite_schema WHERE rootpage > 1").fetchall()
    return gone, [int(root[0]) for root in roots]


@pytest.mark.parametrize("page_bytes", [512, 4096, 65536])
@pytest.mark.parametrize("seed", range(3))
def test_what_was_deleted_is_in_no_byte_and_the_rest_is_as_it_was(tmp_path, page_bytes, seed):
    path = tmp_path / "worn.sqlite"
    gone, roots = worn_file(path, page_bytes, random.Random(seed))
    assert any(marked(number).encode() in path.read_bytes() for number in gone)
    with closing(sqlite3.connect(path)) as connection:
        before = rows_of(connection)
    assert overwrite_freed_bytes(path, roots) > 0
    data = path.read_bytes()
    assert [number for number in gone if marked(number).encode() in data] == []
    assert overwrite_freed_bytes(path, roots) == 0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert rows_of(connection) == before
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        connection.executemany("INSERT INTO t VALUES (?, ?, 0)", ((f"new{n}", "z" * n) for n in range(200)))
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_page_that_is_none_of_a_table_is_refused(tmp_path):
    path = tmp_path / "worn.sqlite"
    worn_file(path, 512, random.Random(1))
    with closing(sqlite3.connect(path)) as connection:
        free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    assert free
    first_free = int.from_bytes(path.read_bytes()[32:36], "big")
    with pytest.raises(ValueError, match="no page of a table"):
        overwrite_freed_bytes(path, [first_free])
