"""The audit log cannot be changed by a work, and shows where somebody changed it in the file."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import LiteralString

import pytest

from db.audit.trail import verify_chain
from db.history.points import current_database
from db.schema.migrate import load_set
from db.stores.directory import DirectoryStore
from db.transaction import ReadTx
from db.vault.opening import Kind, create_vault, read_audit_key
from db.vault.vault import Vault
from tests.engine.audit_entries import length, run, verdict, written_by
from tests.engine.desk import ACTOR, KEYS, START_MS, Clock, in_memory, new_desk, note, site


@pytest.fixture
def vault(folder: DirectoryStore, tmp_path: Path):
    opened = new_desk(folder, tmp_path / "cache", Clock(START_MS))
    yield opened
    opened.close()


# The engine's own bookkeeping, and what a work may do to the log


def test_the_engines_own_bookkeeping_is_not_noted_and_its_other_tables_are(vault: Vault) -> None:
    entries = written_by(
        vault,
        run(
            "INSERT INTO vaultry_idempotency VALUES ('a', 'k', :digest, '{}', :at)",
            "INSERT INTO vaultry_outbox (id, kind, payload, created_at, next_attempt_at)"
            " VALUES ('o', 'mail', '{}', :at, :at)",
            "INSERT INTO vaultry_settings (key, value, updated_at) VALUES ('colour', 'red', :at)",
            digest="0" * 64,
            at="2026-05-01T19:00:00.000Z",
        ),
    )
    assert [(entry.table, entry.key) for entry in entries] == [("vaultry_settings", ["colour"])]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE vaultry_audit SET actor = 'nobody'",
        "DELETE FROM vaultry_audit",
        "INSERT INTO vaultry_audit SELECT * FROM vaultry_audit",
        "INSERT OR REPLACE INTO vaultry_audit SELECT * FROM vaultry_audit",
        "DROP TABLE vaultry_audit",
        "ALTER TABLE vaultry_audit RENAME TO gone",
        "DROP TRIGGER vaultry_audit_is_append_only_update",
        "CREATE TRIGGER t BEFORE INSERT ON vaultry_audit BEGIN SELECT RAISE(IGNORE); END",
        "DELETE FROM temp.audit_pending",
        "INSERT INTO temp.audit_pending (operation, table_name, row_key) VALUES ('insert', 'counters', '[]')",
        "DROP TABLE temp.audit_pending",
        'DROP TRIGGER temp."audit_insert_requests"',
        "PRAGMA recursive_triggers = OFF",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = '' WHERE name = 'vaultry_audit'",
    ],
)
def test_a_work_cannot_touch_the_audit_log_or_what_feeds_it(vault: Vault, sql: LiteralString) -> None:
    vault.write(note("a"), ACTOR)
    before = current_database(vault)[0]
    with pytest.raises(sqlite3.Error):
        vault.write(run("INSERT INTO requests (id) VALUES ('b')", sql), ACTOR)
    assert current_database(vault)[0] == before
    assert [entry.key for entry in written_by(vault, note("c"))] == [["c"]]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRIGGER t AFTER INSERT ON requests BEGIN DELETE FROM vaultry_audit; END",
        "CREATE TRIGGER t AFTER INSERT ON requests BEGIN DELETE FROM audit_pending; END",
    ],
)
def test_a_trigger_that_a_work_makes_reaches_the_audit_log_no_more_than_the_work(
    vault: Vault, sql: LiteralString
) -> None:
    before = length(vault)
    with pytest.raises(sqlite3.Error):
        vault.write(run(sql, "INSERT INTO requests (id) VALUES ('a')"), ACTOR)
    assert length(vault) == before


# The chain


def test_the_chain_holds_over_many_writes(vault: Vault) -> None:
    for number in range(30):
        vault.write(note(f"{number}"), ACTOR)
    assert verdict(current_database(vault)[0]) == (31, None)


@pytest.mark.parametrize(
    "tamper",
    [
        "UPDATE vaultry_audit SET at = '2020-01-01T00:00:00.000Z' WHERE seq = 3",
        "UPDATE vaultry_audit SET actor = 'somebody else' WHERE seq = 3",
        "UPDATE vaultry_audit SET actor_kind = 'operator' WHERE seq = 3",
        "UPDATE vaultry_audit SET request_id = '' WHERE seq = 3",
        "UPDATE vaultry_audit SET verb = 'x' WHERE seq = 3",
        "UPDATE vaultry_audit SET operation = 'delete' WHERE seq = 3",
        "UPDATE vaultry_audit SET table_name = 'counters' WHERE seq = 3",
        "UPDATE vaultry_audit SET row_key = '[\"x\"]' WHERE seq = 3",
        "UPDATE vaultry_audit SET old_values = 'null' WHERE seq = 3",
        "UPDATE vaultry_audit SET new_values = NULL WHERE seq = 3",
        "UPDATE vaultry_audit SET new_values = new_values || ' ' WHERE seq = 3",
        "UPDATE vaultry_audit SET mac = zeroblob(32) WHERE seq = 3",
        "UPDATE vaultry_audit SET mac = (SELECT mac FROM vaultry_audit WHERE seq = 4) WHERE seq = 3",
    ],
)
def test_a_changed_row_is_found_and_named(vault: Vault, tamper: LiteralString) -> None:
    for name in "abcd":
        vault.write(note(name), ACTOR)
    assert verdict(current_database(vault)[0], tamper) == (2, "audit row 3 was changed")


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        ("DELETE FROM vaultry_audit WHERE seq = 3", (2, "audit row 3 is missing")),
        ("DELETE FROM vaultry_audit WHERE seq = 1", (0, "audit row 1 is missing")),
        ("DELETE FROM vaultry_audit WHERE seq IN (2, 3)", (1, "audit row 2 is missing")),
        ("UPDATE vaultry_audit SET seq = seq + 1 WHERE seq = 5", (4, "audit row 5 is missing")),
    ],
)
def test_a_removed_row_is_found_and_named(vault: Vault, tamper: LiteralString, found: tuple[int, str]) -> None:
    for name in "abcd":
        vault.write(note(name), ACTOR)
    assert verdict(current_database(vault)[0], tamper) == found


def test_rows_that_changed_places_are_found(vault: Vault) -> None:
    for name in "abcd":
        vault.write(note(name), ACTOR)
    with closing(in_memory(current_database(vault)[0])) as connection:
        connection.execute("DROP TRIGGER vaultry_audit_is_append_only_update")
        for old, new in ((2, 99), (3, 2), (99, 3)):
            connection.execute("UPDATE vaultry_audit SET seq = ? WHERE seq = ?", (new, old))
        key = read_audit_key(connection, KEYS)
        assert key is not None
        assert verify_chain(ReadTx(connection), key) == (1, "audit row 2 was changed")


def test_a_chain_of_another_vault_does_not_pass(folder: DirectoryStore, tmp_path: Path, vault: Vault) -> None:
    other = new_desk(folder, tmp_path / "cache", vault_id="other")
    moved = "UPDATE vaultry_settings SET value = 'desk' WHERE key = 'origin'"
    assert verdict(current_database(other)[0])[1] is None
    assert verdict(current_database(other)[0], moved) == (0, "audit row 1 was changed")
    other.close()


def test_entries_cut_off_at_the_end_leave_a_chain_that_is_shorter(vault: Vault) -> None:
    """The chain alone cannot tell; that is what its length and last mac, kept elsewhere, are for."""
    for name in "abcd":
        vault.write(note(name), ACTOR)
    assert verdict(current_database(vault)[0], "DELETE FROM vaultry_audit WHERE seq > 3") == (3, None)


def test_a_vault_of_the_kernel_alone_has_an_audit_log(folder: DirectoryStore, tmp_path: Path) -> None:
    vault = create_vault(site(folder, tmp_path / "cache"), "bare", Kind((load_set("kernel"),)))
    vault.write(run("UPDATE vaultry_settings SET value = value || '!' WHERE key <> 'origin'"), ACTOR)
    vault.write(run("INSERT INTO vaultry_settings VALUES ('a', 'b', '2026-05-01T19:00:00.000Z')"), ACTOR)
    assert verdict(current_database(vault)[0]) == (1, None)
    vault.close()
