"""The content digest: equal for equal content however it came about, another one for any single difference."""

import hashlib
import sqlite3
import struct
from contextlib import closing

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from db.history.digest import content_digest

SCHEMA = "CREATE TABLE t (a, b TEXT, c REAL)"
values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.binary(max_size=8),
)
rows = st.lists(st.tuples(values, st.text("ab\0", max_size=3), st.floats(allow_nan=False)), max_size=8)


def database(*statements: str, rows=(), page_bytes: int = 4096) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(f"PRAGMA page_size = {page_bytes}")
    for statement in statements or (SCHEMA,):
        connection.execute(statement)
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    return connection


def digest(*statements: str, rows=(), page_bytes: int = 4096) -> str:
    with closing(database(*statements, rows=rows, page_bytes=page_bytes)) as connection:
        return content_digest(connection).digest


def kept(row):
    """The row as SQLite keeps it: -0.0 in a REAL column is stored as the integer 0."""
    with closing(database(rows=[row])) as connection:
        found = connection.execute("SELECT a, b, c FROM t").fetchone()
    return [(type(value), struct.pack(">d", value) if isinstance(value, float) else value) for value in found]


@settings(deadline=None)
@given(rows, st.randoms(use_true_random=False), st.sampled_from([512, 4096, 65536]))
def test_order_page_size_rowids_and_vacuum_do_not_count(rows, random, page_bytes):
    mixed = list(rows)
    random.shuffle(mixed)
    with closing(database(rows=[*mixed, *mixed], page_bytes=page_bytes)) as other:
        other.execute("DELETE FROM t WHERE rowid <= ?", (len(mixed),))
        before = content_digest(other).digest
        other.execute("VACUUM")
        assert before == content_digest(other).digest == digest(rows=rows)


@settings(deadline=None)
@given(rows.filter(bool), st.data())
def test_any_single_changed_value_gives_another_digest(rows, data):
    index = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, 2))
    new = data.draw((values, st.text("ab\0", max_size=3), st.floats(allow_nan=False))[column])
    changed = (*rows[index][:column], new, *rows[index][column + 1 :])
    assume(kept(changed) != kept(rows[index]))
    assert digest(rows=rows) != digest(rows=[*rows[:index], changed, *rows[index + 1 :]])


@settings(deadline=None)
@given(rows.filter(bool))
def test_a_row_more_or_less_gives_another_digest(rows):
    assert len({digest(rows=rows), digest(rows=rows[1:]), digest(rows=[*rows, rows[0]])}) == 3


@pytest.mark.parametrize(
    "other",
    [
        (SCHEMA, "CREATE TABLE u (a)"),
        (SCHEMA, "CREATE INDEX i ON t (a)"),
        (SCHEMA, "CREATE VIEW v AS SELECT a FROM t"),
        (SCHEMA, "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END"),
        ("CREATE TABLE t (a, b TEXT, d REAL)",),
        ("CREATE TABLE t (a, b TEXT, c REAL NOT NULL)",),
    ],
    ids=lambda statements: statements[-1],
)
def test_another_schema_gives_another_digest(other):
    assert digest(*other) != digest()


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ((1, "", 0), (1.0, "", 0)),
        (("a", "", 0), (b"a", "", 0)),
        ((None, "", 0), ("", "", 0)),
        (("1", "", 0), (1, "", 0)),
        (("a", "b", 0), ("ab", "", 0)),
        (("a\0", "b", 0), ("a", "\0b", 0)),
        ((0.1, "", 0), (0.1 + 2**-56, "", 0)),
        ((2**53, "", 0), (2**53 + 1, "", 0)),
    ],
)
def test_values_that_look_alike_are_told_apart(one, another):
    assert digest(rows=[one]) != digest(rows=[another])


def test_text_that_is_not_utf_8_is_taken_byte_by_byte():
    found = set()
    for text in ("CAST(x'FF' AS TEXT)", "CAST(x'FE' AS TEXT)", "x'FF'"):
        with closing(database()) as connection:
            connection.execute(f"INSERT INTO t (a) VALUES ({text})")
            found.add(content_digest(connection).digest)
    assert len(found) == 3


def test_the_connection_is_as_it_was_and_tables_are_counted():
    with closing(database(rows=[(1, "x", 0.5), (2, "y", 0.5)])) as connection:
        connection.row_factory = sqlite3.Row
        found = content_digest(connection)
        row = connection.execute("SELECT b FROM t").fetchone()
        assert (type(row), row["b"]) == (sqlite3.Row, "x")
    assert {name: table.rows for name, table in found.tables.items()} == {"sqlite_schema": 1, "t": 2}


def test_a_column_computed_on_reading_does_not_count():
    found = set()
    for told in (1, 2):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.create_function("told", 1, lambda value, told=told: told, deterministic=True)
            connection.execute("CREATE TABLE t (a, computed AS (told(a)))")
            connection.execute("INSERT INTO t VALUES (1)")
            assert connection.execute("SELECT computed FROM t").fetchone() == (told,)
            found.add(content_digest(connection).digest)
    assert len(found) == 1


def test_a_virtual_table_counts_by_its_shadow_tables():
    with closing(database(SCHEMA, "CREATE VIRTUAL TABLE words USING fts5 (word)")) as connection:
        before = content_digest(connection)
        connection.execute("INSERT INTO words VALUES ('Sanctus')")
        after = content_digest(connection)
    assert "words" not in after.tables
    assert before.tables["words_content"].rows + 1 == after.tables["words_content"].rows


@pytest.mark.parametrize("in_memory", [1, 2, 3, 4, 5])
def test_rows_that_are_too_many_for_memory_give_the_same_digest(monkeypatch, in_memory):
    rows = [(number, "x", 0.5) for number in (3, 1, 2, 2)]
    whole = digest(rows=rows)
    monkeypatch.setattr("db.history.digest._IN_MEMORY", in_memory)
    assert digest(rows=rows) == whole


def test_the_format_is_the_documented_one():
    def sized(data: bytes) -> bytes:
        return struct.pack(">Q", len(data)) + data

    def table(name: bytes, columns: list[bytes], rows: list[bytes]) -> bytes:
        head = sized(name) + struct.pack(">Q", len(columns)) + b"".join(map(sized, columns))
        digests = sorted(hashlib.sha256(row).digest() for row in rows)
        return hashlib.sha256(head + struct.pack(">Q", len(rows)) + b"".join(digests)).digest()

    stored = [
        b"N" + b"T" + sized("õ".encode()) + b"R" + struct.pack(">d", 0.5),
        b"I" + struct.pack(">q", -3) + b"T" + sized(b"") + b"R" + struct.pack(">d", 2),
        b"B" + sized(b"\0") + b"T" + sized(b"b") + b"R" + struct.pack(">d", -1),
    ]
    schema = [b"".join(b"T" + sized(part) for part in (b"table", b"t", b"t", SCHEMA.encode()))]
    whole = hashlib.sha256(
        b"vaultry content 1"
        + table(b"sqlite_schema", [b"type", b"name", b"tbl_name", b"sql"], schema)
        + table(b"t", [b"a", b"b", b"c"], stored)
    )
    rows = [(None, "õ", 0.5), (-3, "", 2), (b"\0", "b", -1)]
    assert digest(rows=rows) == "c1:" + whole.hexdigest()
