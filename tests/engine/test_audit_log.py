"""The audit log: every change of every row leaves one entry, whichever statement made it."""

import json
import sqlite3
from pathlib import Path
from typing import Any, LiteralString

import pytest

from db.stores.directory import DirectoryStore
from db.transaction import Actor, WriteTx
from db.vault.vault import Vault
from tests.db.faulty_store import FaultyStore
from tests.engine.audit_entries import BOOKS, SHELVES, Entry, Work, run, written_by
from tests.engine.desk import ACTOR, START_MS, Clock, new_desk, note
from tests.engine.held_put import HeldPut, Writers


@pytest.fixture
def vault(folder: DirectoryStore, tmp_path: Path):
    opened = new_desk(folder, tmp_path / "cache", Clock(START_MS))
    yield opened
    opened.close()


# Who, when, for which request


def test_an_entry_says_who_did_what_when_and_for_which_request(vault: Vault) -> None:
    vault.write(note("a"), Actor("person-7", "token", "request-7", "requests.add"))
    row = vault.read(lambda tx: tx.row("SELECT * FROM vaultry_audit ORDER BY seq DESC")).value
    assert row is not None
    assert dict(zip(row.keys()[1:-1], tuple(row)[1:-1], strict=True)) == {
        "at": "2026-04-24T03:06:40.000Z",
        "actor": "person-7",
        "actor_kind": "token",
        "request_id": "request-7",
        "verb": "requests.add",
        "operation": "insert",
        "table_name": "requests",
        "row_key": '["a"]',
        "old_values": None,
        "new_values": '{"id":"a","note":null}',
    }


def test_a_work_that_finds_out_whom_it_is_done_for_is_noted_as_theirs(vault: Vault) -> None:
    def sign_in(tx: WriteTx) -> None:
        note("a")(tx)
        tx.acting_as = "person-8"

    vault.write(sign_in, ACTOR)
    actors = vault.read(lambda tx: tx.rows("SELECT actor, request_id FROM vaultry_audit ORDER BY seq")).value
    assert [tuple(row) for row in actors] == [("person-1", "request-1"), ("person-8", "request-1")]


def test_works_that_share_a_commit_are_noted_each_with_its_own_actor(folder: DirectoryStore, tmp_path: Path) -> None:
    faulty = FaultyStore(folder)
    vault = new_desk(faulty, tmp_path / "cache")
    held, writers = HeldPut(faulty), Writers(vault)
    writers.start("first", note("a"))
    held.wait()

    def as_person(name: str) -> Work:
        def work(tx: WriteTx) -> None:
            tx.acting_as = name
            note(name)(tx)

        return work

    writers.queue("b", as_person("person-b"))
    writers.queue("c", as_person("person-c"))
    held.release()
    writers.join()
    rows = vault.read(lambda tx: tx.rows("SELECT actor, row_key FROM vaultry_audit ORDER BY seq")).value
    assert [tuple(row) for row in rows][2:] == [("person-b", '["person-b"]'), ("person-c", '["person-c"]')]
    vault.close()


# Every kind of change


def test_an_insert_is_noted_with_every_column(vault: Vault) -> None:
    vault.write(run(SHELVES), ACTOR)
    (entry,) = written_by(vault, run("INSERT INTO books (id, shelf_id, title, price) VALUES (10, 1, 'Kevade', 2.5)"))
    new = {"id": 10, "shelf_id": 1, "title": "Kevade", "price": 2.5, "cover": None, "extra": None}
    assert entry == Entry("insert", "books", [10], None, new)


def test_an_update_is_noted_with_the_columns_that_changed(vault: Vault) -> None:
    vault.write(run(SHELVES, BOOKS), ACTOR)
    (entry,) = written_by(vault, run("UPDATE books SET title = 'Suvi', price = NULL, shelf_id = 1 WHERE id = 20"))
    assert entry == Entry("update", "books", [20], {"shelf_id": 2, "title": "Kevade"}, {"shelf_id": 1, "title": "Suvi"})


def test_an_update_of_a_key_is_noted_under_the_old_key(vault: Vault) -> None:
    vault.write(note("a"), ACTOR)
    (entry,) = written_by(vault, run("UPDATE requests SET id = 'b'"))
    assert entry == Entry("update", "requests", ["a"], {"id": "a"}, {"id": "b"})


def test_a_delete_is_noted_with_what_was_lost(vault: Vault) -> None:
    vault.write(run(SHELVES), ACTOR)
    (entry,) = written_by(vault, run("DELETE FROM shelves WHERE id = 2"))
    assert entry == Entry("delete", "shelves", [2], {"id": 2, "name": "low"}, None)


def test_a_delete_of_the_whole_table_notes_each_row(vault: Vault) -> None:
    vault.write(run(SHELVES), ACTOR)
    assert [(entry.operation, entry.key) for entry in written_by(vault, run("DELETE FROM shelves"))] == [
        ("delete", [1]),
        ("delete", [2]),
    ]


def test_an_upsert_is_noted_as_what_it_became(vault: Vault) -> None:
    vault.write(run(SHELVES), ACTOR)
    entries = written_by(
        vault,
        run(
            "INSERT INTO shelves (id, name) VALUES (2, 'bottom'), (3, 'new')"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name"
        ),
    )
    assert Entry("update", "shelves", [2], {"name": "low"}, {"name": "bottom"}) in entries
    assert Entry("insert", "shelves", [3], None, {"id": 3, "name": "new"}) in entries
    assert {entry.table for entry in entries} == {"shelves", "renamings"}


def test_an_upsert_that_does_nothing_is_not_noted(vault: Vault) -> None:
    vault.write(run(SHELVES), ACTOR)
    assert written_by(vault, run("INSERT INTO shelves (id, name) VALUES (2, 'x') ON CONFLICT DO NOTHING")) == []
    assert written_by(vault, run("INSERT OR IGNORE INTO shelves (id, name) VALUES (2, 'x')")) == []


@pytest.mark.parametrize("first", [True, False])
def test_a_row_that_replaces_others_is_noted_with_their_deletion(vault: Vault, *, first: bool) -> None:
    if first:
        # Inserted behind the engine's back, as it were: no statement has made it watch the table yet.
        vault.alter(lambda writer: writer.execute(SHELVES) is not None)
    else:
        vault.write(run(SHELVES), ACTOR)
    entries = written_by(vault, run("INSERT OR REPLACE INTO shelves (id, name) VALUES (1, 'low')"))
    assert [(entry.operation, entry.key, entry.old, entry.new) for entry in entries] == [
        ("delete", [1], {"id": 1, "name": "top"}, None),
        ("delete", [2], {"id": 2, "name": "low"}, None),
        ("insert", [1], None, {"id": 1, "name": "low"}),
    ]


def test_a_cascade_is_noted_row_by_row_also_when_it_is_the_first_change_of_its_tables(vault: Vault) -> None:
    loans = "INSERT INTO loans (book_id, reader) VALUES (10, 'Mari'), (20, 'Jaan')"
    vault.alter(lambda writer: [writer.execute(sql) for sql in (SHELVES, BOOKS, loans)] != [])
    entries = written_by(vault, run("DELETE FROM shelves WHERE id = 1"))
    assert sorted((entry.table, entry.operation, entry.key) for entry in entries) == [
        ("books", "delete", [10]),
        ("loans", "update", ["Mari"]),
        ("shelves", "delete", [1]),
    ]
    (loan,) = (entry for entry in entries if entry.table == "loans")
    assert (loan.old, loan.new) == ({"book_id": 10}, {"book_id": None})


def test_rows_that_the_schemas_own_triggers_write_are_noted(vault: Vault) -> None:
    vault.write(run(SHELVES), ACTOR)
    entries = written_by(vault, run("UPDATE shelves SET name = 'bottom' WHERE id = 2"))
    assert sorted((entry.table, entry.operation, json.dumps(entry.new)) for entry in entries) == [
        ("renamings", "insert", '{"id": 1, "old_name": "low", "new_name": "bottom"}'),
        ("shelves", "update", '{"name": "bottom"}'),
    ]


def test_what_is_written_through_a_view_is_noted_of_its_table(vault: Vault) -> None:
    (entry,) = written_by(vault, run("INSERT INTO shelf_names (name) VALUES ('top')"))
    assert entry == Entry("insert", "shelves", [1], None, {"id": 1, "name": "top"})


def test_an_insert_from_a_query_is_noted_row_by_row(vault: Vault) -> None:
    vault.write(run(SHELVES), ACTOR)
    entries = written_by(vault, run("INSERT INTO requests (id, note) SELECT name, NULL FROM shelves"))
    assert sorted(entry.key[0] for entry in entries) == ["low", "top"]


def test_rows_a_failing_statement_leaves_behind_are_noted(vault: Vault) -> None:
    """OR FAIL keeps the rows before the one that fails; the work goes on."""
    vault.write(note("b"), ACTOR)

    def work(tx: WriteTx) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            tx.execute("INSERT OR FAIL INTO requests (id) VALUES ('a'), ('b'), ('c')")

    assert [entry.key for entry in written_by(vault, work)] == [["a"]]


def test_a_table_the_work_makes_itself_is_audited_with_any_name(vault: Vault) -> None:
    entries = written_by(
        vault,
        run(
            'CREATE TABLE "o\'dd ""name""" ("a ""b""" TEXT, "c\'d", PRIMARY KEY ("c\'d", "a ""b"""))',
            'INSERT INTO "o\'dd ""name""" VALUES (\'x\', 1)',
        ),
    )
    assert entries == [Entry("insert", 'o\'dd "name"', [1, "x"], None, {'a "b"': "x", "c'd": 1})]


def test_a_table_without_a_declared_key_is_noted_by_rowid(vault: Vault) -> None:
    vault.write(run("CREATE TABLE plain (a)"), ACTOR)
    entries = written_by(vault, run("INSERT INTO plain VALUES ('x'), ('y')", "DELETE FROM plain WHERE a = 'x'"))
    assert [(entry.operation, entry.key) for entry in entries] == [("insert", [1]), ("insert", [2]), ("delete", [1])]


def test_a_table_of_many_columns_is_noted_whole(vault: Vault) -> None:
    names = [f"c{number}" for number in range(300)]
    vault.alter(
        lambda writer: writer.execute(f"CREATE TABLE wide (id INTEGER PRIMARY KEY, {', '.join(names)})") is not None
    )
    (entry,) = written_by(vault, run("INSERT INTO wide (id, c0, c299) VALUES (1, 'first', x'00ff')"))
    assert entry.new is not None
    assert list(entry.new) == ["id", *names]
    assert (entry.new["c0"], entry.new["c1"]) == ("first", None)


def test_changes_of_a_table_with_a_new_column_are_noted_with_it(vault: Vault) -> None:
    add = "ALTER TABLE requests ADD COLUMN extra TEXT"
    entries = written_by(vault, run("INSERT INTO requests (id) VALUES ('a')", add, "UPDATE requests SET extra = 'x'"))
    assert [(entry.operation, entry.new) for entry in entries] == [
        ("insert", {"id": "a", "note": None}),
        ("update", {"extra": "x"}),
    ]


@pytest.mark.parametrize(
    ("change", "after", "table", "new"),
    [
        ("ALTER TABLE requests RENAME TO wishes", "UPDATE wishes SET note = 'y'", "wishes", {"note": "y"}),
        (
            "ALTER TABLE requests RENAME COLUMN note TO more",
            "UPDATE requests SET more = 'y'",
            "requests",
            {"more": "y"},
        ),
        ("ALTER TABLE requests DROP COLUMN note", "UPDATE requests SET id = 'b'", "requests", {"id": "b"}),
    ],
)
def test_changes_of_a_table_with_another_shape_or_name_are_noted(
    vault: Vault, change: LiteralString, after: LiteralString, table: str, new: dict[str, Any]
) -> None:
    vault.write(note("a"), ACTOR)
    (entry,) = written_by(vault, run(change, after))
    assert (entry.table, entry.operation, entry.new) == (table, "update", new)


def test_a_work_drops_no_table(vault: Vault) -> None:
    # The rows would go without leaving audit rows: dropping is a step of a migration.
    vault.write(note("a"), ACTOR)
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        vault.write(run("DROP TABLE requests"), ACTOR)
    assert len(written_by(vault, run("UPDATE requests SET note = 'still here'"))) == 1
