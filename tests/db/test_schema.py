"""Reading a vault's schema from SQLite."""

import sqlite3
from collections.abc import Iterator

import pytest

from db.schema.schema import Column, ForeignKey, Schema, read_schema
from db.transaction import ReadTx


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:")
    yield opened
    opened.close()


def schema_of(connection: sqlite3.Connection, ddl: str) -> Schema:
    connection.executescript(ddl)
    return read_schema(connection)


def test_columns_are_read_as_declared(connection: sqlite3.Connection) -> None:
    table = schema_of(
        connection,
        """CREATE TABLE works (id TEXT PRIMARY KEY, pages integer NOT NULL DEFAULT 1,
           half REAL GENERATED ALWAYS AS (pages / 2.0) STORED, double REAL AS (pages * 2.0)) STRICT""",
    ).tables["works"]
    assert table.columns == (
        Column("id", "TEXT", True, None, 1, False),
        Column("pages", "INTEGER", True, "1", 0, False),
        Column("half", "REAL", False, None, 0, True),
        Column("double", "REAL", False, None, 0, True),
    )
    assert (table.strict, table.without_rowid, table.primary_key) == (True, False, ("id",))
    assert table.column("pages") == table.columns[1]
    assert table.column("none") is None


def test_a_primary_key_keeps_its_own_order(connection: sqlite3.Connection) -> None:
    ddl = "CREATE TABLE t (a TEXT, b TEXT, c TEXT, PRIMARY KEY (c, a)) WITHOUT ROWID"
    table = schema_of(connection, ddl).tables["t"]
    assert (table.primary_key, table.without_rowid, table.strict) == (("c", "a"), True, False)


def test_foreign_keys_name_both_sides(connection: sqlite3.Connection) -> None:
    schema = schema_of(
        connection,
        """CREATE TABLE parents (a TEXT, b TEXT, PRIMARY KEY (a, b));
           CREATE TABLE children (x TEXT, y TEXT, z TEXT REFERENCES children(id), id TEXT PRIMARY KEY,
             FOREIGN KEY (x, y) REFERENCES parents ON DELETE CASCADE ON UPDATE SET NULL)""",
    )
    assert set(schema.tables["children"].foreign_keys) == {
        ForeignKey(("z",), "children", ("id",), "NO ACTION", "NO ACTION"),
        ForeignKey(("x", "y"), "parents", ("a", "b"), "CASCADE", "SET NULL"),
    }


def test_unique_keys_leave_out_partial_and_computed_indexes(connection: sqlite3.Connection) -> None:
    table = schema_of(
        connection,
        """CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT UNIQUE, b TEXT, c TEXT, UNIQUE (b, c));
           CREATE UNIQUE INDEX named ON t(c); CREATE UNIQUE INDEX some ON t(b) WHERE c IS NULL;
           CREATE UNIQUE INDEX computed ON t(lower(b)); CREATE INDEX plain ON t(b)""",
    ).tables["t"]
    assert set(table.unique_keys) == {("a",), ("b", "c"), ("c",)}
    assert table.keys[0] == ("id",)


def test_only_ordinary_tables_of_the_vault_are_read(connection: sqlite3.Connection) -> None:
    schema = schema_of(
        connection,
        """CREATE TABLE works (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT); CREATE VIEW titles AS SELECT 1;
           CREATE TEMP TABLE scratch (id TEXT); CREATE VIRTUAL TABLE found USING fts5(title);
           CREATE TABLE sqlites (id TEXT)""",
    )
    assert set(schema.tables) == {"works", "sqlites"}


def test_a_transaction_serves_as_source(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE works (id TEXT PRIMARY KEY)")
    assert read_schema(ReadTx(connection)) == read_schema(connection)


@pytest.mark.parametrize(
    ("declared", "affinity"),
    [
        ("TEXT", "TEXT"),
        ("VARCHAR(9)", "TEXT"),
        ("INTEGER", "INTEGER"),
        ("BIGINT", "INTEGER"),
        ("REAL", "REAL"),
        ("DOUBLE", "REAL"),
        ("BLOB", "BLOB"),
        ("", "BLOB"),
        ("ANY", "ANY"),
        ("DECIMAL", "NUMERIC"),
    ],
)
def test_affinity_follows_sqlites_words(declared: str, affinity: str) -> None:
    assert Column("c", declared, False, None, 0, False).affinity == affinity


def test_cascades_follow_children_of_children(connection: sqlite3.Connection) -> None:
    schema = schema_of(
        connection,
        """CREATE TABLE a (id TEXT PRIMARY KEY);
           CREATE TABLE b (id TEXT PRIMARY KEY, a TEXT REFERENCES a(id) ON DELETE CASCADE);
           CREATE TABLE c (id TEXT PRIMARY KEY, b TEXT REFERENCES b(id) ON DELETE SET NULL,
                           c TEXT REFERENCES c(id) ON DELETE CASCADE);
           CREATE TABLE d (a TEXT REFERENCES a(id));
           CREATE TABLE e (a TEXT REFERENCES a(id) ON UPDATE CASCADE)""",
    )
    assert schema.cascades("a") == {"b", "c", "e"}
    assert schema.cascades("c") == {"c"}
    assert schema.cascades("d") == frozenset()
