"""Numbered steps on vaults that are opened: each is applied once and recorded, or the vault stays at the one before."""

import hashlib
import logging
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from db.clock import Moment
from db.errors import MigrationFailed
from db.history.points import database_at
from db.log.commit_log import CommitLog
from db.log.ltx import TXID
from db.schema.migrate import due_steps, load_set
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from db.transaction import ReadTx
from db.vault.opening import Kind
from db.vault.vault import FIRST_UNCONSTRAINED, Vault
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import ACTOR, START_MS, commits, content, content_at, in_memory
from tests.engine.town import (
    BROKEN,
    FIRST_HOUSES,
    FIRST_STREETS,
    HOUSES,
    LOSSY_REBUILD,
    PARKS,
    STREETS,
    WHOLE_REBUILD,
    houses,
    new_town,
    open_town,
    steps_done,
    tables,
    town,
)
from tests.moto_s3 import clean_environment

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


def test_each_due_step_is_one_commit_with_a_ledger_row_and_the_hash_of_its_file(
    store: ObjectStore, tmp_path: Path
) -> None:
    new_town(store, tmp_path, STREETS)
    kind = town(tmp_path / "second release", STREETS, HOUSES, FIRST_STREETS)
    before = len(commits(CommitLog(store, "town")))
    vault = open_town(store, tmp_path, kind, ms=START_MS + 5000)
    assert len(commits(vault.log)) == before + 2
    for behind, done in ((0, [1, 2, 3]), (1, [1, 2]), (2, [1])):
        with closing(in_memory(database_at(vault.log, TXID(vault.head.txid - behind)))) as connection:
            assert steps_done(ReadTx(connection)) == done
    rows = vault.read(lambda tx: tx.rows("SELECT * FROM vaultry_migrations WHERE set_name = 'town' AND number > 1"))
    assert [tuple(row)[:5] for row in rows.value] == [
        ("town", number, "step", hashlib.sha256(sql.encode()).hexdigest(), Moment(START_MS + 5000).text)
        for number, sql in ((2, HOUSES), (3, FIRST_STREETS))
    ]
    vault.close()


def test_a_vault_without_due_steps_is_opened_without_a_commit(folder: DirectoryStore, tmp_path: Path) -> None:
    new_town(folder, tmp_path, STREETS, HOUSES)
    vault = open_town(folder, tmp_path, town(tmp_path / "same", STREETS, HOUSES), "other")
    assert vault.head.txid == 1
    assert vault.refusal is None
    vault.close()


def test_who_loses_the_race_for_a_step_finds_it_applied(
    store: ObjectStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "vaultry")
    new_town(store, tmp_path, STREETS)
    kind = town(tmp_path / "second release", STREETS, HOUSES, FIRST_STREETS, FIRST_HOUSES)
    faulty = FaultyStore(store)
    rivals: list[Vault] = []

    def overtake(op: str) -> None:
        if op == "commit:put" and not rivals:
            rivals.append(open_town(store, tmp_path, kind, "rival"))

    faulty.before_call = overtake
    vault = open_town(faulty, tmp_path, kind)
    assert vault.head.txid == rivals[0].head.txid == 4
    assert vault.read(steps_done).value == [1, 2, 3, 4]
    assert houses(vault) == [(10, 1), (20, 2)]
    applied = [record.message for record in caplog.records if "StepApplied" in record.message]
    assert len(applied) == 3
    for opened in (vault, *rivals):
        opened.write(lambda tx: tx.insert("streets", name="Uus"), ACTOR)
        opened.close()


def test_threads_that_open_a_vault_at_once_apply_each_step_once(store: ObjectStore, tmp_path: Path) -> None:
    new_town(store, tmp_path, STREETS)
    kind = town(tmp_path / "second release", STREETS, HOUSES, FIRST_STREETS, FIRST_HOUSES)
    together = threading.Barrier(4)
    opened: list[Vault] = []

    def open_one(number: int) -> None:
        together.wait(PATIENCE_S)
        opened.append(open_town(store, tmp_path, kind, f"cache {number}"))

    threads = [threading.Thread(target=open_one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(opened) == 4
    assert len(commits(CommitLog(store, "town"))) == 4
    for vault in opened:
        assert vault.refusal is None
        assert vault.read(steps_done).value == [1, 2, 3, 4]
        assert vault.read(lambda tx: tx.value("SELECT count(*) FROM streets")).value == 2
        vault.close()


def test_processes_that_open_a_vault_at_once_apply_each_step_once(folder: DirectoryStore, tmp_path: Path) -> None:
    new_town(folder, tmp_path, STREETS)
    kind = town(tmp_path / "second release", STREETS, HOUSES, FIRST_STREETS, FIRST_HOUSES)
    child = [sys.executable, "-m", "tests.engine.opening_child", str(folder.root), str(tmp_path / "caches")]
    command = [*child, str(tmp_path / "second release"), "town", "town"]
    processes = [
        subprocess.Popen(
            command, cwd=ROOT, env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=PATIENCE_S)[0] for process in processes] == ["4\n"] * 3
    assert [process.returncode for process in processes] == [0] * 3
    vault = open_town(folder, tmp_path, kind, "own")
    assert vault.head.txid == 4
    assert houses(vault) == [(10, 1), (20, 2)]
    vault.close()


@pytest.mark.parametrize(
    "names", [("0001_a.sql", "0003_c.sql"), ("0002_b.sql",), ("0001_a.sql", "0001_b.sql"), ("1_a.sql",), ()]
)
def test_a_set_with_a_gap_or_a_badly_named_file_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    (tmp_path / "gappy").mkdir()
    for name in names:
        (tmp_path / "gappy" / name).write_text("SELECT 1;")
    with pytest.raises(MigrationFailed) as caught:
        load_set("gappy", tmp_path)
    assert caught.value.code == "migration_missing"


def test_a_ledger_that_lacks_a_step_before_a_later_one_is_refused(tmp_path: Path) -> None:
    (known,) = town(tmp_path / "release", STREETS, HOUSES).sets[1:]
    ledger = [("town", 2, known.steps[1].sha256)]
    with pytest.raises(MigrationFailed, match="town/0001_step") as caught:
        due_steps(ledger, [known])
    assert caught.value.code == "migration_missing"


def test_a_step_edited_after_it_ran_stops_writes_and_is_named(folder: DirectoryStore, tmp_path: Path) -> None:
    new_town(folder, tmp_path, STREETS, HOUSES)
    kind = town(tmp_path / "edited", STREETS, HOUSES + "-- tidied\n", FIRST_STREETS)
    assert_refused(folder, tmp_path, kind, "migration_edited", "town/0002_step")


def test_a_vault_newer_than_the_code_stops_writes_and_says_both(folder: DirectoryStore, tmp_path: Path) -> None:
    new_town(folder, tmp_path, STREETS, HOUSES, FIRST_STREETS)
    assert_refused(folder, tmp_path, town(tmp_path / "old", STREETS, HOUSES), "migration_newer", "town/0003")


def assert_refused(store: ObjectStore, tmp_path: Path, kind: Kind, code: str, named: str) -> None:
    """The vault can be read and not written to, and nothing of it was changed."""
    vault = open_town(store, tmp_path, kind)
    assert vault.refusal is not None
    assert vault.refusal.code == code
    assert named in vault.refusal.message
    assert {"streets", "houses"} <= tables(vault)
    with pytest.raises(MigrationFailed) as caught:
        vault.write(lambda tx: tx.insert("streets", name="Uus"), ACTOR)
    assert caught.value.code == code
    assert vault.head.txid == 1
    vault.close()


def test_a_failing_step_leaves_the_vault_readable_at_the_step_before(store: ObjectStore, tmp_path: Path) -> None:
    new_town(store, tmp_path, STREETS)
    kind = town(tmp_path / "second release", STREETS, FIRST_STREETS, BROKEN, HOUSES)
    vault = open_town(store, tmp_path, kind)
    assert vault.refusal is not None
    assert vault.refusal.code == "migration_failed"
    assert "town/0003_step" in vault.refusal.message
    assert "no such table: no_such_table" in vault.refusal.message
    assert vault.read(steps_done).value == [1, 2]
    assert tables(vault) == {"streets"}, "the part of the step that had run is undone"
    with pytest.raises(MigrationFailed, match="town/0003_step"):
        vault.write(lambda tx: tx.insert("streets", name="Uus"), ACTOR)
    assert vault.head.txid == 2
    assert vault.read(lambda tx: tx.value("SELECT count(*) FROM streets"), FIRST_UNCONSTRAINED).value == 2
    vault.close()


def test_a_later_open_with_the_step_repaired_goes_on(store: ObjectStore, tmp_path: Path) -> None:
    new_town(store, tmp_path, STREETS)
    open_town(store, tmp_path, town(tmp_path / "second", STREETS, BROKEN, HOUSES)).close()
    vault = open_town(store, tmp_path, town(tmp_path / "third", STREETS, PARKS, HOUSES))
    assert vault.refusal is None
    assert vault.read(steps_done).value == [1, 2, 3]
    vault.write(lambda tx: tx.insert("parks", id=2), ACTOR)
    assert vault.read(lambda tx: tx.value("SELECT count(*) FROM parks")).value == 2
    vault.close()


def wrong(sql: str, name: str):
    """A step that cannot be applied."""
    return pytest.param(sql, id=name)


@pytest.mark.parametrize(
    "step",
    [
        wrong("CREATE TABLE (;\n", "not SQL"),
        wrong("INSERT INTO streets VALUES (1, NULL);\n", "against a constraint"),
        wrong("INSERT INTO houses VALUES (1, 404, '1');\n", "against a reference"),
        wrong(
            "CREATE TABLE yards (house_id INTEGER REFERENCES houses (id) DEFERRABLE INITIALLY DEFERRED) STRICT;\n"
            "INSERT INTO yards VALUES (404);\n",
            "against a deferred reference",
        ),
        wrong(PARKS + "COMMIT;\n", "ending the transaction"),
        wrong(PARKS + "ROLLBACK;\n", "undoing the transaction"),
        wrong(PARKS + "COMMIT;\nBEGIN;\n", "cutting the transaction"),
    ],
)
def test_whatever_is_wrong_with_a_step_the_vault_opens_for_reading(
    folder: DirectoryStore, tmp_path: Path, step: str
) -> None:
    new_town(folder, tmp_path, STREETS, HOUSES)
    vault = open_town(folder, tmp_path, town(tmp_path / "second release", STREETS, HOUSES, step))
    assert vault.refusal is not None
    assert vault.refusal.code == "migration_failed"
    assert "town/0003_step" in vault.refusal.message
    assert tables(vault) == {"streets", "houses"}
    assert vault.head.txid == 1
    vault.close()


def test_a_step_with_foreign_keys_off_rebuilds_a_table_and_keeps_what_refers_to_it(
    store: ObjectStore, tmp_path: Path
) -> None:
    new_town(store, tmp_path, STREETS, HOUSES, FIRST_STREETS, FIRST_HOUSES)
    kind = town(tmp_path / "second", STREETS, HOUSES, FIRST_STREETS, FIRST_HOUSES, WHOLE_REBUILD)
    vault = open_town(store, tmp_path, kind)
    assert vault.refusal is None
    assert houses(vault) == [(10, 1), (20, 2)]
    assert vault.read(lambda tx: tx.value("SELECT sum(length_m) FROM streets")).value == 0
    with pytest.raises(sqlite3.IntegrityError):
        vault.write(lambda tx: tx.insert("houses", street_id=404), ACTOR)
    vault.close()


def test_a_rebuild_that_breaks_a_reference_fails_and_nothing_of_it_stays(store: ObjectStore, tmp_path: Path) -> None:
    new_town(store, tmp_path, STREETS, HOUSES, FIRST_STREETS, FIRST_HOUSES)
    before = content_at(CommitLog(store, "town"), 1)
    kind = town(tmp_path / "second", STREETS, HOUSES, FIRST_STREETS, FIRST_HOUSES, LOSSY_REBUILD)
    vault = open_town(store, tmp_path, kind)
    assert vault.refusal is not None
    assert "town/0005_step: 1 references lead nowhere: houses row 20 -> streets" in vault.refusal.message
    assert vault.head.txid == 1
    assert vault.read_raw(lambda connection, _: content(connection)).value == before
    vault.close()


def test_the_writer_guards_references_again_after_a_step_with_foreign_keys_off_failed(
    folder: DirectoryStore, tmp_path: Path
) -> None:
    new_town(folder, tmp_path, STREETS, HOUSES, FIRST_STREETS, FIRST_HOUSES)
    kind = town(tmp_path / "second", STREETS, HOUSES, FIRST_STREETS, FIRST_HOUSES, LOSSY_REBUILD)
    vault = open_town(folder, tmp_path, kind)
    vault.schema_keeper = vault.refusal = None
    with pytest.raises(sqlite3.IntegrityError):
        vault.write(lambda tx: tx.insert("houses", street_id=404), ACTOR)
    vault.close()


def test_changes_of_data_in_a_step_meet_no_audit_triggers_and_later_changes_are_audited(
    folder: DirectoryStore, tmp_path: Path
) -> None:
    """The step runs on a vault whose writer has audited the very table before."""
    new_town(folder, tmp_path, STREETS)
    vault = open_town(folder, tmp_path, town(tmp_path / "second", STREETS))
    vault.write(lambda tx: tx.insert("streets", id=1, name="Lai"), ACTOR)
    step = "UPDATE streets SET name = upper(name);\nALTER TABLE streets ADD COLUMN length_m INTEGER;\n"
    newer = open_town(folder, tmp_path, town(tmp_path / "third", STREETS, step), "newer")
    for opened in (newer, vault):
        opened.write(lambda tx: tx.execute("UPDATE streets SET length_m = coalesce(length_m, 0) + 7"), ACTOR)
    rows = vault.read(lambda tx: tx.rows("SELECT operation, old_values, new_values FROM vaultry_audit ORDER BY seq"))
    assert [tuple(row) for row in rows.value] == [
        ("insert", None, '{"id":1,"name":"Lai"}'),
        ("update", '{"length_m":null}', '{"length_m":7}'),
        ("update", '{"length_m":7}', '{"length_m":14}'),
    ]
    assert vault.read(lambda tx: tx.value("SELECT name FROM streets")).value == "LAI"
    newer.close()
    vault.close()
