"""The local copy: what its marker proves is kept, and all else is made anew from a log that must be whole."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import db.vault.cache
import db.vault.local_copy
from db.errors import CorruptLog, Unavailable
from db.log.ltx import TXID
from db.log.retention import HOUR_MS, Retention, make_snapshot, tend
from db.stores.directory import DirectoryStore
from db.vault.cache import CacheFolder, Marker
from db.vault.local_copy import LocalCopy
from db.vault.vault import FIRST_UNCONSTRAINED
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import (
    ACTOR,
    START_MS,
    Clock,
    check_log,
    new_desk,
    note,
    noted,
    open_desk,
)
from tests.engine.local_files import abandon, shelves, slot


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_a_closed_copy_is_taken_up_again_without_fetching(folder: DirectoryStore, cache: Path, events) -> None:
    new_desk(folder, cache).close()
    made_anew = len(events("CacheRebuilt"))
    faulty = FaultyStore(folder)
    vault = open_desk(faulty, cache)
    assert noted(vault) == []
    assert len(events("CacheRebuilt")) == made_anew
    assert set(faulty.calls) == {"commit:look"}
    vault.close()


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "harm",
    [
        lambda marker: marker.unlink(),
        lambda marker: marker.write_bytes(b""),
        lambda marker: marker.write_bytes(marker.read_bytes()[:-1]),
        damage,
    ],
    ids=["missing", "empty", "cut", "damaged"],
)
def test_a_marker_that_proves_nothing_has_the_copy_made_anew(
    folder: DirectoryStore, cache: Path, events, harm: Callable[[Path], None]
) -> None:
    vault = new_desk(folder, cache)
    vault.write(note("a"), ACTOR)
    vault.close()
    made_anew = len(events("CacheRebuilt"))
    harm(slot(cache) / "marker")
    vault = open_desk(folder, cache)
    assert noted(vault) == ["a"]
    assert len(events("CacheRebuilt")) == made_anew + 1
    assert events("EditKept") == []
    vault.close()


def test_a_marker_of_before_a_restart_of_the_machine_proves_nothing(
    folder: DirectoryStore, cache: Path, events, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_desk(folder, cache).close()
    made_anew = len(events("CacheRebuilt"))
    monkeypatch.setattr(db.vault.cache, "_BOOT", os.urandom(16))
    open_desk(folder, cache).close()
    assert len(events("CacheRebuilt")) == made_anew + 1
    monkeypatch.setattr(db.vault.cache, "_BOOT", b"")
    open_desk(folder, cache).close()
    open_desk(folder, cache).close()
    assert len(events("CacheRebuilt")) == made_anew + 3, "a machine that does not tell its starts is never trusted"


def test_a_removed_copy_is_made_anew(folder: DirectoryStore, cache: Path) -> None:
    vault = new_desk(folder, cache)
    vault.write(note("a"), ACTOR)
    vault.close()
    (slot(cache) / "vault.sqlite").unlink()
    vault = open_desk(folder, cache)
    assert noted(vault) == ["a"]
    vault.close()


def _raise_at(step: str, error: type[BaseException]) -> Callable[[str], None]:
    def hook(op: str) -> None:
        if op == step:
            raise error

    return hook


def abort(*_: object) -> None:
    """Stands for the end of the process."""
    raise ConnectionAbortedError


def test_the_engines_own_leftovers_of_a_crash_are_not_kept(folder: DirectoryStore, cache: Path, events) -> None:
    vault = new_desk(folder, cache)
    faulty = FaultyStore(folder)
    vault.close()

    class Killed(BaseException):
        """Stands for the end of the process."""

    vault = open_desk(faulty, cache)
    faulty.before_call = _raise_at("commit:put", Killed)
    vault._committer._undo = lambda: None
    with pytest.raises(Killed):
        vault.write(note("unmade"), ACTOR)
    abandon(vault)
    vault = open_desk(folder, cache)
    assert noted(vault) == []
    assert events("EditKept") == []
    vault.close()


# One frame at a time and less; several commits at a time; all of it.
BATCHES = pytest.mark.parametrize("batch_bytes", [100, 30_000, 4 << 20])


@BATCHES
def test_what_a_killed_process_had_made_durable_is_folded_in_and_not_fetched_again(
    folder: DirectoryStore, cache: Path, events, monkeypatch: pytest.MonkeyPatch, batch_bytes: int
) -> None:
    monkeypatch.setattr(db.vault.local_copy, "_WAL_BATCH_BYTES", batch_bytes)
    vault = new_desk(folder, cache)
    for name in ("a", "b"):
        vault.write(note(name), ACTOR)
    assert (slot(cache) / "vault.sqlite-wal").stat().st_size > 0
    abandon(vault)
    made_anew = len(events("CacheRebuilt"))
    vault = open_desk(folder, cache)
    assert noted(vault) == ["a", "b"]
    assert len(events("CacheRebuilt")) == made_anew
    vault.close()


@BATCHES
def test_a_damaged_write_ahead_file_of_a_killed_process_has_the_copy_made_anew(
    folder: DirectoryStore, cache: Path, events, monkeypatch: pytest.MonkeyPatch, batch_bytes: int
) -> None:
    monkeypatch.setattr(db.vault.local_copy, "_WAL_BATCH_BYTES", batch_bytes)
    vault = new_desk(folder, cache)
    vault.write(note("a"), ACTOR)
    abandon(vault)
    wal = slot(cache) / "vault.sqlite-wal"
    content = bytearray(wal.read_bytes())
    content[-100] ^= 1
    wal.write_bytes(content)
    made_anew = len(events("CacheRebuilt"))
    vault = open_desk(folder, cache)
    assert noted(vault) == ["a"]
    assert len(events("CacheRebuilt")) == made_anew + 1
    vault.close()


def test_a_process_killed_while_it_folds_in_what_another_left_is_not_taken_for_an_edit(
    folder: DirectoryStore, cache: Path, monkeypatch: pytest.MonkeyPatch, events
) -> None:
    vault = new_desk(folder, cache)
    vault.write(note("a"), ACTOR)
    abandon(vault)
    with monkeypatch.context() as patch:
        patch.setattr(LocalCopy, "_settle_and_open", abort)
        with pytest.raises(ConnectionAbortedError):
            open_desk(folder, cache)
    vault = open_desk(folder, cache)
    assert noted(vault) == ["a"]
    assert events("EditKept") == []
    vault.close()


def test_a_marker_that_says_the_file_is_changing_has_the_copy_made_anew(
    folder: DirectoryStore, cache: Path, events
) -> None:
    vault = new_desk(folder, cache)
    vault._copy._mark_moving()
    abandon(vault)
    made_anew = len(events("CacheRebuilt"))
    open_desk(folder, cache).close()
    assert len(events("CacheRebuilt")) == made_anew + 1
    assert events("EditKept") == []


def test_a_second_vault_takes_the_next_slot_and_leaves_it_for_the_next(folder: DirectoryStore, cache: Path) -> None:
    first, second = new_desk(folder, cache), open_desk(folder, cache)
    assert [path.name for path in sorted((cache / "desk").iterdir())] == ["0", "1"]
    second.write(note("a"), ACTOR)
    assert noted(first) == ["a"]
    first.close()
    third = open_desk(folder, cache)
    assert [path.name for path in sorted((cache / "desk").iterdir())] == ["0", "1"]
    third.close()
    second.close()


def test_a_folder_whose_slots_are_all_taken_is_refused(
    folder: DirectoryStore, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.vault.cache, "MAX_SLOTS", 1)
    vault = new_desk(folder, cache)
    with pytest.raises(Unavailable, match="1 processes hold desk"):
        open_desk(folder, cache)
    vault.close()


@pytest.mark.parametrize("level", ["0", "9"])
def test_a_damaged_object_is_named(folder: DirectoryStore, cache: Path, tmp_path: Path, level: str) -> None:
    clock = Clock()
    vault = new_desk(folder, cache, clock)
    vault.write(note("a"), ACTOR)
    make_snapshot(vault)
    vault.write(note("b"), ACTOR)
    vault.close()
    path = max((folder.root / "vaults/desk/ltx" / level).iterdir())
    damage(path)
    with pytest.raises(CorruptLog, match=path.name):
        open_desk(folder, tmp_path / "fresh", clock)


def test_an_object_under_another_ones_name_is_named(folder: DirectoryStore, cache: Path, tmp_path: Path) -> None:
    vault = new_desk(folder, cache)
    behind = open_desk(folder, tmp_path / "behind")
    vault.write(note("a"), ACTOR)
    vault.write(note("b"), ACTOR)
    *_, before, last = sorted((folder.root / "vaults/desk/ltx/0").iterdir())
    content = before.read_bytes()
    last.unlink()
    last.write_bytes(content)
    for opening in (lambda: open_desk(folder, tmp_path / "fresh"), lambda: noted(behind)):
        with pytest.raises(CorruptLog, match=last.name):
            opening()
    vault.close()
    behind.close()


def test_a_missing_object_is_named(folder: DirectoryStore, cache: Path, tmp_path: Path) -> None:
    vault = new_desk(folder, cache)
    vault.write(note("a"), ACTOR)
    vault.write(note("b"), ACTOR)
    vault.close()
    (folder.root / "vaults/desk/ltx/0" / "0000000000000003-0000000000000003.ltx").unlink()
    with pytest.raises(CorruptLog, match="0000000000000003"):
        open_desk(folder, tmp_path / "fresh")


def test_a_copy_of_another_store_under_the_same_id_is_made_anew(cache: Path, tmp_path: Path) -> None:
    old, new = DirectoryStore(tmp_path / "old"), DirectoryStore(tmp_path / "new")
    vault = new_desk(old, cache)
    for name in ("a", "b"):
        vault.write(note(name), ACTOR)
    vault.close()
    vault = new_desk(new, cache)
    assert noted(vault) == []
    vault.write(note("c"), ACTOR)
    vault.close()
    assert check_log(new) == ["c"]


def test_a_copy_whose_commit_was_pruned_is_made_anew(folder: DirectoryStore, cache: Path, tmp_path: Path) -> None:
    clock = Clock()
    new_desk(folder, cache, clock).close()
    other = open_desk(folder, tmp_path / "other", clock)
    for name in ("a", "b", "c"):
        other.write(note(name), ACTOR)
    clock.ms += 25 * HOUR_MS
    tend(other, clock.ms, Retention())
    assert other.log.look(TXID(2)) is None
    clock.ms = START_MS
    vault = open_desk(folder, cache, clock)
    assert noted(vault) == ["a", "b", "c"]
    vault.write(note("d"), ACTOR)
    assert noted(other) == ["a", "b", "c", "d"]
    vault.close()
    other.close()
    check_log(folder)


def test_an_open_copy_that_was_long_asleep_catches_up_over_pruned_commits(
    folder: DirectoryStore, cache: Path, tmp_path: Path
) -> None:
    clock = Clock()
    asleep = new_desk(folder, cache, clock)
    awake = open_desk(folder, tmp_path / "awake", clock)
    for name in ("a", "b", "c"):
        awake.write(note(name), ACTOR)
    clock.ms += 25 * HOUR_MS
    tend(awake, clock.ms, Retention())
    assert asleep.log.look(TXID(3)) is None
    assert noted(asleep) == ["a", "b", "c"]
    asleep.write(note("d"), ACTOR)
    assert noted(awake) == ["a", "b", "c", "d"]
    asleep.close()
    awake.close()


def test_a_copy_that_could_not_be_written_is_made_anew_by_the_next_call(
    folder: DirectoryStore, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events
) -> None:
    vault = new_desk(folder, cache)
    rival = open_desk(folder, tmp_path / "rival")
    rival.write(note("a"), ACTOR)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(CacheFolder, "apply", full)
        with pytest.raises(OSError, match="No space"):
            noted(vault)
        with pytest.raises(Unavailable):
            vault.read(shelves, FIRST_UNCONSTRAINED)
    assert noted(vault) == ["a"]
    assert events("CacheRebuilt")[-1] == "damaged"
    vault.write(note("b"), ACTOR)
    assert noted(rival) == ["a", "b"]
    vault.close()
    rival.close()


def test_a_closed_vault_says_so(folder: DirectoryStore, cache: Path) -> None:
    vault = new_desk(folder, cache)
    vault.close()
    vault.close()
    for call in (
        lambda: noted(vault),
        lambda: vault.write(note("a"), ACTOR),
        lambda: vault.read(shelves, FIRST_UNCONSTRAINED),
    ):
        with pytest.raises(Unavailable, match="closed"):
            call()


def test_a_marker_is_read_back_as_written(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, "desk")
    marker = Marker(TXID(2**63), 2**64 - 1, START_MS, START_MS + 1, 4152, 2**64 - 2, 8192, 10**18, True)
    folder.write_marker(marker)
    assert folder.read_marker() == marker
    folder.close()
