"""What SQL may do in a work or a read: its own rows and tables, nothing that outlives it or reaches past the vault."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import pytest

from db.stores.directory import DirectoryStore
from db.transaction import ReadTx, Statement, WriteTx
from db.vault.guard import RELEASE, ROLLBACK_WORK, SAVEPOINT
from db.vault.vault import Vault
from tests.engine.desk import ACTOR, check_log, new_desk, note, noted

OUTSIDE = "ATTACH DATABASE ':memory:' AS elsewhere"
REFUSED = [
    OUTSIDE,
    "DETACH DATABASE main",
    "BEGIN",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT mine",
    "SAVEPOINT work",
    "RELEASE work",
    "ROLLBACK TO work",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA foreign_keys",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = ON",
    "PRAGMA wal_checkpoint",
    "PRAGMA query_only = OFF",
    "PRAGMA recursive_triggers = OFF",
    "PRAGMA defer_foreign_keys = ON",
    "PRAGMA user_version = 7",
    "PRAGMA schema_version = 7",
    "PRAGMA secure_delete = OFF",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA trusted_schema = ON",
    "PRAGMA optimize",
    "CREATE TEMP TABLE mine (id)",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "CREATE TEMP VIEW mine AS SELECT 1",
    "CREATE TEMP TRIGGER mine AFTER INSERT ON requests BEGIN SELECT 1; END",
    "CREATE TABLE temp.mine (id)",
    "CREATE TABLE temp.mine AS SELECT 1",
    "CREATE VIEW temp.mine AS SELECT 1",
    "CREATE TRIGGER temp.mine AFTER INSERT ON requests BEGIN SELECT 1; END",
    "SELECT load_extension('/tmp/any')",
    "VACUUM",
    "VACUUM INTO '/tmp/elsewhere.sqlite'",
]
# Of the engine alone: what would hide a change from the audit log, or make the vault seem older than it is.
ENGINES_OWN = [
    "INSERT INTO temp.audit_pending (operation) VALUES ('insert')",
    "DELETE FROM temp.audit_pending",
    "DELETE FROM audit_pending",
    "UPDATE audit_pending SET table_name = 'x'",
    "DROP TABLE temp.audit_pending",
    "DROP TRIGGER audit_insert_requests",
    "DROP TRIGGER temp.audit_insert_requests",
    'DROP TRIGGER IF EXISTS temp."audit_insert_requests"',
    "INSERT INTO vaultry_audit SELECT * FROM vaultry_audit",
    "UPDATE vaultry_audit SET actor = 'x'",
    "DELETE FROM vaultry_audit",
    "DROP TABLE vaultry_audit",
    "ALTER TABLE vaultry_audit RENAME TO mine",
    "ALTER TABLE vaultry_audit ADD COLUMN mine TEXT",
    "DROP TRIGGER vaultry_audit_is_append_only_delete",
    "CREATE TRIGGER mine BEFORE INSERT ON vaultry_audit BEGIN SELECT RAISE(IGNORE); END",
    "DELETE FROM vaultry_migrations",
    "UPDATE vaultry_migrations SET sha256 = sha256",
    "INSERT INTO vaultry_migrations SELECT * FROM vaultry_migrations",
    "DROP TABLE vaultry_settings",
]
QUESTIONS = [
    "PRAGMA table_info(requests)",
    "PRAGMA table_xinfo(requests)",
    "PRAGMA table_list",
    "PRAGMA index_list(requests)",
    "PRAGMA index_info(sqlite_autoindex_shelves_1)",
    "PRAGMA index_xinfo(sqlite_autoindex_shelves_1)",
    "PRAGMA foreign_key_list(books)",
    "PRAGMA foreign_key_check",
    "PRAGMA integrity_check",
    "PRAGMA quick_check",
    "PRAGMA schema_version",
    "SELECT name FROM pragma_table_info('requests')",
    "EXPLAIN QUERY PLAN SELECT * FROM requests",
    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 3) SELECT i FROM n",
]
STRAY_WRITES: list[LiteralString] = [
    "INSERT INTO requests (id) VALUES ('stray')",
    "UPDATE counters SET value = 9",
    "DELETE FROM counters",
    "CREATE TABLE stray (id)",
    "DROP TABLE requests",
    "WITH name AS (SELECT 'stray') INSERT INTO requests (id) SELECT * FROM name",
    "INSERT INTO requests (id) VALUES ('stray') RETURNING id",
    "REINDEX",
    "ANALYZE",
]
PRAGMAS = (
    "foreign_keys",
    "recursive_triggers",
    "query_only",
    "cache_spill",
    "synchronous",
    "wal_autocheckpoint",
    "journal_mode",
    "locking_mode",
    "temp_store",
    "secure_delete",
    "ignore_check_constraints",
    "writable_schema",
    "user_version",
)


@pytest.fixture
def vault(folder: DirectoryStore, tmp_path: Path) -> Iterator[Vault]:
    opened = new_desk(folder, tmp_path / "cache")
    # From here on the tables of the tests are watched by the audit log, so its triggers are there to be attacked.
    opened.write(note("first"), ACTOR)
    yield opened
    opened.close()


def settings(connection: sqlite3.Connection) -> dict[str, Any]:
    return {name: connection.execute(f"PRAGMA {name}").fetchone() for name in PRAGMAS}


def temporary(connection: sqlite3.Connection) -> list[str]:
    return sorted(row[0] for row in connection.execute("SELECT name FROM sqlite_temp_schema"))


def every_setting(vault: Vault) -> list[Any]:
    """What the connections are set to and what temporary objects they hold, the writer's first."""
    writer = vault._copy.connections.writer
    assert writer is not None
    vault._leader._writing[1].open = True
    found = [settings(writer), temporary(writer), writer.in_transaction]
    return [*found, vault.read_raw(lambda connection, _: [settings(connection), temporary(connection)]).value]


def attempt(vault: Vault, sql: str, door: str) -> None:
    """Run the statement in a work or in a read."""
    statement = Statement(sql)
    if door == "work":
        vault.write(lambda tx: tx.query(statement), ACTOR)
    else:
        vault.read(lambda tx: tx.query(statement))


@pytest.mark.parametrize("door", ["work", "read"])
@pytest.mark.parametrize("sql", REFUSED)
def test_what_reaches_past_the_transaction_is_refused(
    vault: Vault, sql: str, door: str, folder: DirectoryStore
) -> None:
    before, head = every_setting(vault), vault.head
    with pytest.raises(sqlite3.Error):
        attempt(vault, sql, door)
    assert every_setting(vault) == before
    assert vault.head == head
    vault.write(note("next"), ACTOR)
    assert check_log(folder) == ["first", "next"]


@pytest.mark.parametrize("sql", ENGINES_OWN)
def test_what_belongs_to_the_engine_is_refused_to_works(vault: Vault, sql: str, folder: DirectoryStore) -> None:
    with pytest.raises(sqlite3.DatabaseError):
        attempt(vault, sql, "work")
    vault.write(note("next"), ACTOR)
    assert vault.read(lambda tx: tx.value("SELECT count(*) FROM vaultry_audit")).value == 3
    assert check_log(folder) == ["first", "next"]


@pytest.mark.parametrize("sql", ENGINES_OWN + REFUSED)
def test_a_refused_statement_does_not_spare_the_work_its_entries(vault: Vault, sql: str) -> None:
    def go_on(tx: WriteTx) -> None:
        tx.insert("requests", id="kept", note=None)
        with pytest.raises(sqlite3.Error):
            tx.query(Statement(sql))
        tx.insert("requests", id="also kept", note=None)

    vault.write(go_on, ACTOR)
    assert noted(vault) == ["also kept", "first", "kept"]
    assert vault.read(lambda tx: tx.value("SELECT count(*) FROM vaultry_audit")).value == 4


@pytest.mark.parametrize("sql", QUESTIONS)
def test_questions_about_the_schema_are_answered_in_works_and_reads(vault: Vault, sql: str) -> None:
    statement = Statement(sql)
    for rows in (vault.read(lambda tx: tx.query(statement)), vault.write(lambda tx: tx.query(statement), ACTOR)):
        assert len(rows.value) > 0 or sql == "PRAGMA foreign_key_check"


@pytest.mark.parametrize("sql", STRAY_WRITES)
def test_a_stray_write_in_a_read_fails(vault: Vault, sql: LiteralString) -> None:
    with pytest.raises(sqlite3.Error):
        vault.read(lambda tx: tx.rows(sql))
    assert noted(vault) == ["first"]


def test_a_work_may_make_tables_indexes_views_and_triggers_of_its_own(vault: Vault, folder: DirectoryStore) -> None:
    def make(tx: WriteTx) -> None:
        tx.execute("CREATE TABLE mine (id INTEGER PRIMARY KEY, name TEXT) STRICT")
        tx.execute("CREATE INDEX mine_by_name ON mine (name)")
        tx.execute("CREATE VIEW my_names AS SELECT name FROM mine")
        tx.execute(
            "CREATE TRIGGER mine_noted AFTER INSERT ON mine BEGIN INSERT INTO requests (id) VALUES (NEW.name); END"
        )
        tx.insert("mine", name="second")

    vault.write(make, ACTOR)
    assert noted(vault) == ["first", "second"]
    assert vault.read(lambda tx: tx.value("SELECT name FROM my_names")).value == "second"
    vault.write(lambda tx: tx.execute("DROP TRIGGER mine_noted"), ACTOR)
    vault.write(lambda tx: tx.execute("DROP VIEW my_names"), ACTOR)
    vault.write(lambda tx: tx.execute("DROP INDEX mine_by_name"), ACTOR)
    vault.write(lambda tx: tx.insert("mine", name="third"), ACTOR)
    assert check_log(folder) == ["first", "second"]


def test_a_work_cannot_speak_for_the_engine_by_repeating_its_words(vault: Vault) -> None:
    """A statement that the connection has compiled for the engine is not put before the guard again."""
    writer = vault._copy.connections.writer
    assert writer is not None
    spoken: list[str] = []
    writer.set_trace_callback(spoken.append)
    vault.write(note("listened to"), ACTOR)
    writer.set_trace_callback(None)
    private = [
        sql for sql in spoken if any(word in sql for word in ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "DELETE"))
    ]
    assert len(private) >= 3
    # A work that shares its commit stands between these as well.
    private += [SAVEPOINT, ROLLBACK_WORK, RELEASE]
    for sql in {sql.partition(" /*")[0] for sql in private}:
        with pytest.raises(sqlite3.Error):
            attempt(vault, sql, "work")
    assert noted(vault) == ["first", "listened to"]


def test_the_guard_is_closed_again_after_a_raw_read(vault: Vault) -> None:
    vault.read_raw(lambda connection, _: connection.execute("PRAGMA query_only").fetchone())
    with pytest.raises(ZeroDivisionError):
        vault.read_raw(lambda connection, _: 1 // 0)
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        attempt(vault, "PRAGMA query_only", "read")


def test_a_read_leaves_nothing_behind_for_the_next(vault: Vault) -> None:
    before = every_setting(vault)
    vault.read(lambda tx: tx.rows("SELECT * FROM requests"))

    def fail(tx: ReadTx) -> None:
        tx.rows("SELECT * FROM counters")
        raise ValueError("this read fails")

    with pytest.raises(ValueError, match="this read fails"):
        vault.read(fail)
    assert every_setting(vault) == before
    vault.write(note("second"), ACTOR)
    assert noted(vault) == ["first", "second"]
