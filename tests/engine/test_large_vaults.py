"""Vaults too large for memory: what is made page by page is whole or not trusted, and nobody waits for it."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import db.log.commit_log
import db.log.follower
import db.vault.live_copy
from db.errors import Contended, CorruptLog
from db.history.points import current_database_file, database_at, fork, restore
from db.log.commit_log import COMMIT_LEVEL, SNAPSHOT_LEVEL, CommitLog
from db.log.ltx import TXID
from db.log.retention import make_snapshot
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from db.transaction import WriteTx
from db.vault.live_copy import copy_live
from db.vault.new_file import mark_rollback
from db.vault.opening import create_vault
from db.vault.vault import Vault, VaultOptions
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import ACTOR, KIND, check_log, new_desk, note, noted, open_desk, site
from tests.engine.history_desk import OPERATOR
from tests.engine.local_files import add_shelf, edit_by_hand, slot
from tests.moto_s3 import clean_environment

ROOT = Path(__file__).parent.parent.parent
MEGABYTES = 64
MORE_BYTES = 24 << 20


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a vault of 64 MB, made by the benchmark's own steps."""
    folder = tmp_path_factory.mktemp("large")
    facts = step("fill", folder)
    assert facts["size"] >= MEGABYTES << 20
    return folder


def step(name: str, folder: Path) -> dict[str, float]:
    """Run one step in a process of its own; what it says, its peak of memory among it."""
    environment = clean_environment() | {"VAULTRY_BENCH_MB": str(MEGABYTES)}
    command = [sys.executable, "-m", "benchmarks.large_vault", name, str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    (folder / f"{name}.json").write_text(done.stdout)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def test_no_step_holds_a_large_vault_in_memory(large: Path, tmp_path: Path) -> None:
    idle = step("idle", tmp_path)["peak"]
    row = step("one_row", large)
    assert row["puts"] == 1
    assert row["bytes"] <= 8192
    peaks = {"one_row": row["peak"]}
    for name in ("snapshot", "open_anew", "empty", "fill_again", "fork_it", "export", "verify"):
        found = step(name, large)
        peaks[name] = found["peak"]
        assert found.get("findings", 0) == 0
    assert {name: int(peak - idle) for name, peak in peaks.items() if peak - idle > MORE_BYTES} == {}


def files_of(cache: Path) -> set[str]:
    return {path.name for path in slot(cache).iterdir()}


def snapshot_file(folder: DirectoryStore) -> Path:
    (found,) = CommitLog(folder, "desk").list_level(SNAPSHOT_LEVEL)
    return folder.root / found.key


def damage(path: Path, position: int) -> bytes:
    """Flip one bit; the content before."""
    before = path.read_bytes()
    after = bytearray(before)
    after[position] ^= 1
    path.write_bytes(after)
    return before


@pytest.mark.parametrize("harm", ["flipped", "cut"])
def test_a_damaged_snapshot_is_no_local_copy(folder: DirectoryStore, tmp_path: Path, harm: str) -> None:
    vault = new_desk(folder, tmp_path / "first")
    vault.write(note("a"), ACTOR)
    make_snapshot(vault)
    vault.close()
    path = snapshot_file(folder)
    whole = path.read_bytes()
    if harm == "cut":
        path.write_bytes(whole[:-1000])
    else:
        damage(path, len(whole) - 3)
    for _ in range(2):
        with pytest.raises(CorruptLog, match="9/0000000000000001"):
            open_desk(folder, tmp_path / "second")
        assert "vault.sqlite" not in files_of(tmp_path / "second")
    path.write_bytes(whole)
    vault = open_desk(folder, tmp_path / "second")
    assert noted(vault) == ["a"]
    vault.close()


def test_a_copy_goes_on_when_it_cannot_be_made_anew(folder: DirectoryStore, tmp_path: Path) -> None:
    vault = new_desk(folder, tmp_path / "cache")
    vault.write(note("a"), ACTOR)
    make_snapshot(vault)
    whole = damage(snapshot_file(folder), 5000)
    edit_by_hand(tmp_path / "cache")
    with pytest.raises(CorruptLog):
        vault.write(note("b"), ACTOR)
    snapshot_file(folder).write_bytes(whole)
    vault.write(note("c"), ACTOR)
    assert noted(vault) == ["a", "c"]
    assert list((slot(tmp_path / "cache") / "scratch").iterdir()) == []
    vault.close()
    assert check_log(folder) == ["a", "c"]


_KILLED = """
import os, sys
from pathlib import Path
from db.stores.directory import DirectoryStore
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import open_desk

folder, cache, step, nth = sys.argv[1:]
store = FaultyStore(DirectoryStore(Path(folder)))

def kill(op):
    if op == step and store.calls[op] >= int(nth):
        os._exit(9)

store.after_call = kill
open_desk(store, Path(cache))
"""


@pytest.mark.parametrize("nth", [1, 3])
def test_a_process_killed_while_making_the_copy_leaves_nothing_that_is_trusted(
    folder: DirectoryStore, tmp_path: Path, nth: int
) -> None:
    vault = new_desk(folder, tmp_path / "first")
    for name in "abcdef":
        vault.write(note(name), ACTOR)
    vault.close()
    cache = tmp_path / "killed"
    command = [sys.executable, "-c", _KILLED, str(folder.root), str(cache), "log:get", str(nth)]
    assert subprocess.run(command, cwd=ROOT, env=clean_environment(), check=False).returncode == 9
    assert "vault.sqlite" not in files_of(cache)
    vault = open_desk(folder, cache)
    assert noted(vault) == list("abcdef")
    assert list((slot(cache) / "scratch").iterdir()) == []
    vault.close()


def test_what_a_killed_process_was_making_is_removed_by_the_next(folder: DirectoryStore, tmp_path: Path) -> None:
    new_desk(folder, tmp_path / "cache").close()
    left = slot(tmp_path / "cache") / "scratch" / "left"
    left.mkdir(parents=True)
    (left / "vault.sqlite").write_bytes(b"half")
    open_desk(folder, tmp_path / "cache").close()
    assert not left.exists()


@pytest.fixture
def everything_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every commit counts as one too large for a look and for memory."""
    for module in (db.log.commit_log, db.log.follower):
        monkeypatch.setattr(module, "LOOK_BYTES", 200)
    monkeypatch.setattr(db.log.follower, "_IN_MEMORY_BYTES", 0)


@pytest.mark.usefixtures("everything_large")
def test_large_commits_of_others_are_absorbed(store: ObjectStore, tmp_path: Path) -> None:
    first = new_desk(store, tmp_path / "first")
    second = open_desk(store, tmp_path / "second")
    for number in range(4):
        first.write(note(f"first {number}"), ACTOR)
        second.write(note(f"second {number}"), ACTOR)
    first.write(note("x"), ACTOR)
    first.write(note("y"), ACTOR)
    assert noted(second) == noted(first)
    assert len(noted(second)) == 10
    second.close()
    first.close()
    check_log(store)


@pytest.mark.usefixtures("everything_large")
def test_a_race_lost_to_a_large_commit_is_run_again(folder: DirectoryStore, tmp_path: Path) -> None:
    first = new_desk(folder, tmp_path / "first")
    faulty = FaultyStore(folder)
    second = open_desk(faulty, tmp_path / "second")
    rival = iter(["early", "earlier"])

    def be_first(op: str) -> None:
        if op == "commit:put" and (name := next(rival, None)) is not None:
            first.write(note(name), ACTOR)

    faulty.before_call = be_first
    second.write(note("late"), ACTOR)
    assert noted(second) == ["earlier", "early", "late"] or noted(second) == ["early", "earlier", "late"]
    second.close()
    first.close()
    assert sorted(check_log(folder)) == ["earlier", "early", "late"]


@pytest.mark.usefixtures("everything_large")
def test_a_damaged_commit_of_others_is_refused_before_a_page_is_written(folder: DirectoryStore, tmp_path: Path) -> None:
    first = new_desk(folder, tmp_path / "first")
    second = open_desk(folder, tmp_path / "second")
    first.write(note("a"), ACTOR)
    first.write(note("b"), ACTOR)
    newest = folder.root / first.log.key(COMMIT_LEVEL, first.head.txid, first.head.txid)
    whole = damage(newest, newest.stat().st_size - 3)
    before = slot(tmp_path / "second").joinpath("vault.sqlite").read_bytes()
    with pytest.raises(CorruptLog):
        noted(second)
    assert slot(tmp_path / "second").joinpath("vault.sqlite").read_bytes() == before
    newest.write_bytes(whole)
    assert noted(second) == ["a", "b"]
    second.close()
    first.close()


def test_a_commit_does_not_wait_for_a_snapshot(folder: DirectoryStore, tmp_path: Path) -> None:
    faulty = FaultyStore(folder)
    vault = new_desk(faulty, tmp_path / "cache", options=VaultOptions(wal_bytes=1))
    vault.write(note("before"), ACTOR)
    done: list[str] = []

    def write_meanwhile(op: str) -> None:
        if op in ("log:get", "snapshot:put"):
            faulty.before_call = lambda op: None
            writer = threading.Thread(target=lambda: done.append(vault.write(note("meanwhile"), ACTOR).value))
            writer.start()
            writer.join(30)
            assert noted(vault) == ["before", "meanwhile"]

    faulty.before_call = write_meanwhile
    txid = make_snapshot(vault)
    assert done == ["meanwhile"]
    assert txid == vault.head.txid - 1
    vault.write(note("after"), ACTOR)
    vault.close()
    vault = open_desk(folder, tmp_path / "elsewhere")
    assert noted(vault) == ["after", "before", "meanwhile"]
    vault.close()


def test_a_snapshot_is_made_from_the_log_and_not_from_a_spoiled_copy(folder: DirectoryStore, tmp_path: Path) -> None:
    vault = new_desk(folder, tmp_path / "cache")
    for name in "abc":
        vault.write(note(name), ACTOR)
    expected = database_at(vault.log, vault.head.txid)
    path = slot(tmp_path / "cache") / "vault.sqlite"
    damage(path, path.stat().st_size - 10)
    make_snapshot(vault)
    vault.log.delete(vault.log.list_level(COMMIT_LEVEL)[:-1])
    assert database_at(vault.log, vault.head.txid) == expected
    assert current_database_file(vault, tmp_path / "current").txid == vault.head.txid
    assert (tmp_path / "current").read_bytes() == expected
    vault.close()


@pytest.fixture
def busy(folder: DirectoryStore, tmp_path: Path) -> Iterator[tuple[Vault, Vault]]:
    """Two processes on one vault; every commit of the first is folded at once."""
    first = new_desk(folder, tmp_path / "first", options=VaultOptions(wal_bytes=1))
    second = open_desk(folder, tmp_path / "second")
    yield first, second
    second.close()
    first.close()


def fill(tx: WriteTx) -> None:
    for number in range(300):
        tx.insert("requests", id=f"filler {number:04}", note="x" * 200)


def test_a_copy_taken_while_others_write_is_the_newest_state(
    busy: tuple[Vault, Vault], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = busy
    first.write(fill, ACTOR)

    def copy_slowly(source: Path, target: Path) -> None:
        """Half of the file; then come commits of both, a long one and one that shortens the table; then the rest."""
        with source.open("rb") as before, target.open("wb") as after:
            after.write(before.read(source.stat().st_size // 2))
            first.write(note("a"), ACTOR)
            second.write(note("b"), ACTOR)
            first.write(lambda tx: tx.execute("UPDATE requests SET note = id"), ACTOR)
            first.write(lambda tx: tx.execute("DELETE FROM requests WHERE id > 'filler 0100'"), ACTOR)
            assert len(noted(first)) == 103
            after.write(before.read())

    monkeypatch.setattr(db.vault.live_copy, "copyfile", copy_slowly)
    head = copy_live(first, tmp_path / "copy")
    assert head == first.head
    assert (tmp_path / "copy").read_bytes() == database_at(first.log, head.txid)


def test_a_copy_during_which_the_file_was_made_anew_is_taken_again(
    busy: tuple[Vault, Vault], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = busy
    copyfile = db.vault.live_copy.copyfile
    edits = 0

    def edit_meanwhile(source: Path, target: Path) -> None:
        nonlocal edits
        copyfile(source, target)
        edits += 1
        if edits < wanted:
            edit_by_hand(tmp_path / "first")

    monkeypatch.setattr(db.vault.live_copy, "copyfile", edit_meanwhile)
    wanted = 2
    head = copy_live(first, tmp_path / "copy")
    assert edits == 2
    assert (tmp_path / "copy").read_bytes() == database_at(first.log, head.txid)
    edits, wanted = 0, 99
    with pytest.raises(Contended):
        copy_live(first, tmp_path / "copy")


def test_a_restore_that_loses_a_race_begins_again_from_the_point(folder: DirectoryStore, tmp_path: Path) -> None:
    other = new_desk(folder, tmp_path / "other")
    other.write(note("a"), ACTOR)
    at = other.bookmark
    other.write(note("b"), ACTOR)
    faulty = FaultyStore(folder)
    vault = open_desk(faulty, tmp_path / "cache")
    rival = iter(["c"])

    def be_first(op: str) -> None:
        if op == "commit:put" and (name := next(rival, None)) is not None:
            other.write(note(name), ACTOR)

    faulty.before_call = be_first
    restore(vault, site(faulty, tmp_path / "cache"), at, OPERATOR)
    assert faulty.calls["commit:put"] == 2
    assert noted(vault) == noted(other) == ["a"]
    restored = [row["row_key"] for row in vault.read(lambda tx: tx.rows("SELECT row_key FROM vaultry_audit")).value]
    assert '["c"]' in restored, "the audit log goes on"
    vault.close()
    other.close()
    assert check_log(folder) == ["a"]


def test_readers_and_writers_go_on_while_a_restore_fetches_its_point(folder: DirectoryStore, tmp_path: Path) -> None:
    faulty = FaultyStore(folder)
    vault = new_desk(faulty, tmp_path / "cache")
    vault.write(note("a"), ACTOR)
    at = vault.bookmark
    vault.write(note("b"), ACTOR)
    done: list[str] = []

    def write_meanwhile(op: str) -> None:
        if op == "log:get" and faulty.calls["list:9"] > 1 and not done:
            faulty.before_call = lambda op: None
            writer = threading.Thread(target=lambda: done.append(vault.write(note("c"), ACTOR).value))
            writer.start()
            writer.join(30)

    faulty.before_call = write_meanwhile
    restore(vault, site(faulty, tmp_path / "cache"), at, OPERATOR)
    assert done == ["c"]
    assert noted(vault) == ["a"]
    vault.close()


def test_a_fork_that_is_not_finished_leaves_the_name_free(folder: DirectoryStore, tmp_path: Path) -> None:
    faulty = FaultyStore(folder)
    parent = new_desk(faulty, tmp_path / "cache")
    parent.write(add_shelf("oak"), ACTOR)
    faulty.arm("error_before", "commit:put")
    place = site(faulty, tmp_path / "cache")
    with pytest.raises(Exception, match="refused by the test"):
        fork(parent, place, KIND, "branch")
    made, point = fork(parent, place, KIND, "branch")
    assert point.bookmark == parent.bookmark
    assert os.listdir(slot(tmp_path / "cache") / "scratch") == []  # noqa: PTH208
    made.close()
    parent.close()


def test_a_vault_is_made_from_a_file_of_another_page_size(folder: DirectoryStore, tmp_path: Path) -> None:
    first = new_desk(folder, tmp_path / "cache")
    first.write(note("a"), ACTOR)
    path = tmp_path / "brought.sqlite"
    current_database_file(first, path)
    first.close()
    mark_rollback(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("VACUUM")
    vault = create_vault(site(folder, tmp_path / "cache"), "brought", KIND, path)
    vault.write(note("b"), ACTOR)
    assert noted(vault) == ["a", "b"]
    vault.close()
    assert check_log(folder, "brought") == ["a", "b"]
    assert database_at(CommitLog(folder, "brought"), TXID(2))[16:18] == (1024).to_bytes(2, "big")
