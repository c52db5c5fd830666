"""A dump read back is the same database, by whatever program reads it."""

import math
import shutil
import sqlite3
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import Invalid
from db.transfer.dump import HEADER, DumpOptions, dump
from db.transfer.literals import Literals, exact_real

SCHEMA = r'''
CREATE TABLE child (a INTEGER REFERENCES parent(id), code REFERENCES parent(code));
CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT, r REAL, b BLOB,
                     g AS (code || '!') VIRTUAL, h TEXT GENERATED ALWAYS AS (upper(code)) STORED);
CREATE UNIQUE INDEX parent_code ON parent (code);
CREATE INDEX parent_r ON parent (r) WHERE r IS NOT NULL;
CREATE TABLE "we ird ""name""" ("a b", "c""d");
CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
CREATE TABLE strict_one (x ANY, y INT) STRICT;
CREATE VIRTUAL TABLE own USING fts5(title, body UNINDEXED, tokenize = 'porter');
CREATE VIRTUAL TABLE made USING fts5(code, content = 'parent', content_rowid = 'id');
CREATE VIRTUAL TABLE seen USING fts5(code, content = 'view_of_it', content_rowid = 'id');
CREATE VIRTUAL TABLE bare USING fts5(x, content = '');
CREATE VIEW view_of_it AS SELECT id, code FROM parent;
CREATE TRIGGER parent_added AFTER INSERT ON parent BEGIN
  INSERT INTO made (rowid, code) VALUES (new.id, new.code);
  INSERT INTO child (a) VALUES (CASE WHEN new.code = ';' THEN NULL ELSE new.id END);
END;
CREATE TRIGGER through_the_view INSTEAD OF INSERT ON view_of_it BEGIN INSERT INTO parent (code) VALUES (new.code); END;
INSERT INTO own (own, rank) VALUES ('rank', 'bm25(10.0, 5.0)');
'''
ODD = '"we ird ""name"""'
TEXTS = ["", "it's", "a;b -- c", "line\nline", "cr\r\nlf\r", r"back\nslash\r", "nul\0in it", "žluť 🎶", "\ufeffmark"]


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = OFF")
    return connection


def make(path: Path) -> Path:
    """A database with everything that is hard to dump."""
    connection = connect(path)
    connection.executescript(SCHEMA)
    for text in TEXTS:
        connection.execute(
            "INSERT INTO parent (code, r, b) VALUES (?, ?, ?)", (text, math.pi * 10, text.encode() or None)
        )
    connection.execute("INSERT INTO parent (code) VALUES (CAST(X'FF00FE' AS TEXT))")
    connection.execute("INSERT INTO parent (id, code) VALUES (9007199254740993, 'big')")
    connection.execute("DELETE FROM child WHERE a = 2")
    connection.execute("DELETE FROM parent WHERE id = 2")
    connection.execute(f'INSERT INTO {ODD} (rowid, "a b", "c""d") VALUES (7, -9223372036854775808, 1e999)')
    connection.execute("INSERT INTO keyed VALUES ('k', X''), ('j', NULL)")
    connection.execute("INSERT INTO strict_one VALUES (1, 2), (1.0, 3), ('1', 4), (X'31', 5)")
    connection.execute("INSERT INTO own (rowid, title, body) VALUES (42, 'running songs', 'b')")
    connection.execute("INSERT INTO seen (seen) VALUES ('rebuild')")
    connection.commit()
    connection.close()
    return path


def content(path: Path) -> list[object]:
    """Everything in a database: its schema, its rows with their kinds, what its searches find."""
    connection = connect(path)
    connection.text_factory = bytes
    schema = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
    found: list[object] = [[row for row in connection.execute(schema) if b"_" not in row[1][:5]]]
    tables = {"parent": "id", "child": "rowid", ODD: "rowid", "strict_one": "rowid", "own": "rowid"}
    for table, order in {**tables, "keyed": "k", "sqlite_sequence": "name"}.items():
        number = "rowid, " if order == "rowid" else ""
        columns = [row[0] for row in connection.execute(f"SELECT {number}* FROM {table} LIMIT 0").description or ()]
        kinds = ", ".join(f'typeof("{name.replace(chr(34), chr(34) * 2)}")' for name in columns)
        found.append(connection.execute(f"SELECT {number}*, {kinds} FROM {table} ORDER BY {order}").fetchall())
    for search in ("SELECT rowid FROM made('big')", "SELECT rowid FROM seen('big')", "SELECT rowid FROM own('run')",
                   "SELECT k, v FROM own_config ORDER BY k"):  # fmt: skip
        found.append(connection.execute(search).fetchall())
    connection.close()
    return found


def by_shell(text: str, path: Path) -> None:
    shell = shutil.which("sqlite3")
    if shell is None:
        pytest.skip("the sqlite3 shell is not here: no program `sqlite3`")
    subprocess.run([shell, "-bail", str(path)], input=text.encode(), check=True)


def by_module(text: str, path: Path) -> None:
    """With references looked after, in one transaction: as an import does."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript(f"BEGIN; {text} COMMIT;")
    connection.close()


@pytest.mark.parametrize("read", [by_shell, by_module])
def test_a_dump_read_back_is_the_same_database(tmp_path, read):
    source = make(tmp_path / "source.sqlite")
    text = "".join(dump(source, DumpOptions()))
    assert text.startswith(HEADER)
    read(text, tmp_path / "copy.sqlite")
    assert content(tmp_path / "copy.sqlite") == content(source)


def test_a_dump_of_the_copy_is_the_same_text(tmp_path):
    text = "".join(dump(make(tmp_path / "source.sqlite"), DumpOptions()))
    by_module(text, tmp_path / "copy.sqlite")
    assert sorted("".join(dump(tmp_path / "copy.sqlite", DumpOptions())).splitlines()) == sorted(text.splitlines())


def test_schema_and_rows_can_be_had_apart(tmp_path):
    source = make(tmp_path / "source.sqlite")
    schema = "".join(dump(source, DumpOptions(data=False)))
    rows = "".join(dump(source, DumpOptions(schema=False)))
    assert 'INSERT INTO "parent"' not in schema
    assert "CREATE" not in rows
    by_module(schema, tmp_path / "copy.sqlite")
    connection = connect(tmp_path / "copy.sqlite")
    connection.executescript("DROP TRIGGER parent_added;" + rows)
    assert connection.execute("SELECT count(*) FROM parent").fetchone() == (len(TEXTS) + 1,)
    connection.close()


def test_some_tables_come_with_what_hangs_on_them(tmp_path):
    source = make(tmp_path / "source.sqlite")
    text = "".join(dump(source, DumpOptions(tables=["parent"])))
    made = {
        line.split()[2]
        for line in text.splitlines()
        if line.startswith(("CREATE TABLE", "CREATE INDEX", "CREATE TRIGGER"))
    }
    assert made == {"parent", "parent_r", "parent_added"}
    assert "CREATE VIEW" not in text
    with pytest.raises(Invalid, match="nothing"):
        list(dump(source, DumpOptions(tables=["nothing"])))


def test_what_the_other_database_has_is_left_out_or_replaced(tmp_path):
    path = tmp_path / "source.sqlite"
    connection = connect(path)
    connection.executescript("CREATE VIEW a AS SELECT 1; CREATE VIEW b AS SELECT 2; CREATE TABLE vaultry_audit (x);")
    connection.close()
    text = "".join(
        dump(path, DumpOptions(present={"a": "CREATE VIEW a AS SELECT 1", "b": "CREATE VIEW b AS SELECT 9"}))
    )
    assert text.splitlines()[2:] == ['DROP VIEW IF EXISTS "b";', "CREATE VIEW b AS SELECT 2;"]


def test_a_long_dump_holds_one_row_at_a_time(tmp_path):
    path = tmp_path / "source.sqlite"
    connection = connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.executemany("INSERT INTO t VALUES (zeroblob(?))", [(1000,)] * 100)
    connection.commit()
    connection.close()
    assert max(map(len, dump(path, DumpOptions()))) < 3000


@given(st.floats(allow_nan=False))
def test_a_number_is_read_back_bit_by_bit(value):
    literals = Literals()
    connection = sqlite3.connect(":memory:")
    read = connection.execute(f"SELECT {literals.of(value, 'real')}").fetchone()[0]
    assert (
        value
        == read
        == (value if math.isinf(value) else connection.execute(f"SELECT {exact_real(value)}").fetchone()[0])
    )
    connection.close()
    literals.close()


@pytest.mark.parametrize("bits", [0x0000000000000001, 0x7FEFFFFFFFFFFFFF, 0x0010000000000000, 0x3FB999999999999A])
def test_numbers_at_the_edges_are_exact(bits):
    value = struct.unpack("d", bits.to_bytes(8, "little"))[0]
    assert sqlite3.connect(":memory:").execute(f"SELECT {exact_real(value)}").fetchone() == (value,)


@given(st.one_of(st.binary().map(lambda value: (value, "text")), st.binary().map(lambda value: (value, "blob")),
                 st.integers(-(2**63), 2**63 - 1).map(lambda value: (value, "integer"))))  # fmt: skip
def test_every_value_is_read_back_as_it_was(told):
    value, kind = told
    literals, connection = Literals(), sqlite3.connect(":memory:")
    connection.text_factory = bytes
    text = literals.of(value, kind)
    assert connection.execute(f"SELECT typeof(x), x FROM (SELECT {text} AS x)").fetchone() == (kind.encode(), value)
    connection.close()
    literals.close()
