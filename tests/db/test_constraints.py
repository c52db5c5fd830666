"""Failed constraints as errors with codes."""

import sqlite3
from collections.abc import Iterator

import pytest

from db.errors import Conflict, Invalid, VaultError
from db.schema.constraints import constraints_translated, translate


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:")
    opened.executescript("""
        PRAGMA foreign_keys = ON;
        CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, size INTEGER CHECK (size > 0),
                        other INTEGER REFERENCES t(id), UNIQUE (name, size)) STRICT;
        CREATE TABLE keyed (id TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE u (id TEXT UNIQUE);
        CREATE TRIGGER coded BEFORE INSERT ON u WHEN NEW.id = 'coded'
        BEGIN SELECT RAISE(ABORT, 'copy_on_loan: the copy: is out'); END;
        CREATE TRIGGER plain BEFORE INSERT ON u WHEN NEW.id = 'plain' BEGIN SELECT RAISE(ABORT, 'No way: x'); END;
        INSERT INTO t VALUES (1, 'a', 1, NULL); INSERT INTO keyed VALUES ('a'); INSERT INTO u VALUES ('a');
    """)
    yield opened
    opened.close()


def failure(connection: sqlite3.Connection, sql: str) -> VaultError:
    with pytest.raises(VaultError) as caught, constraints_translated():
        connection.execute(sql)
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    return caught.value


@pytest.mark.parametrize(
    ("sql", "error", "code"),
    [
        ("INSERT INTO t VALUES (1, 'b', 1, NULL)", Conflict, "23505"),
        ("INSERT INTO keyed VALUES ('a')", Conflict, "23505"),
        ("INSERT INTO u VALUES ('a')", Conflict, "23505"),
        ("INSERT INTO t VALUES (2, 'b', 1, 9)", Conflict, "23503"),
        ("INSERT INTO t VALUES (2, NULL, 1, NULL)", Invalid, "23502"),
        ("INSERT INTO t VALUES (2, 'b', 0, NULL)", Invalid, "23514"),
        ("INSERT INTO t VALUES (2, 'b', 'x', NULL)", Invalid, "22P02"),
        ("INSERT INTO t VALUES ('x', 'b', 1, NULL)", Invalid, "22P02"),
        ("INSERT INTO u VALUES ('coded')", Conflict, "copy_on_loan"),
        ("INSERT INTO u VALUES ('plain')", Conflict, "P0001"),
    ],
)
def test_a_failed_constraint_has_postgres_code(
    connection: sqlite3.Connection, sql: str, error: type[VaultError], code: str
) -> None:
    found = failure(connection, sql)
    assert (type(found), found.code) == (error, code)


def test_messages_name_the_columns(connection: sqlite3.Connection) -> None:
    found = failure(connection, "INSERT INTO t VALUES (2, 'a', 1, NULL)")
    assert "(name, size)" in found.message
    assert failure(connection, "INSERT INTO u VALUES ('a')").field == "id"
    assert failure(connection, "INSERT INTO t (name) VALUES (NULL)").field == "name"


def test_the_message_of_a_trigger_is_what_follows_its_code(connection: sqlite3.Connection) -> None:
    assert failure(connection, "INSERT INTO u VALUES ('coded')").message == "the copy: is out"
    assert failure(connection, "INSERT INTO u VALUES ('plain')").message == "No way: x"


def test_what_is_no_failed_constraint_passes_untouched(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"), constraints_translated():
        connection.execute("SELECT 1 FROM nowhere")
    fault = sqlite3.OperationalError("raised by the module itself, without a code")
    with pytest.raises(sqlite3.OperationalError) as caught:
        translate(fault)
    assert caught.value is fault
