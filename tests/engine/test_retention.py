"""Keeping the log short: when a snapshot is due, what is folded and pruned, and that nobody is disturbed by it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.errors import Conflict, NotFound
from db.history.points import database_at
from db.log.commit_log import COMMIT_LEVEL, RANGE_LEVEL, SNAPSHOT_LEVEL, CommitLog, LogObject
from db.log.ltx import TXID
from db.log.retention import DAY_MS, HOUR_MS, Retention, make_ranges, make_snapshot, prunable, snapshot_due, tend
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from db.vault.opening import create_vault
from db.vault.vault import Vault
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import ACTOR, KIND, START_MS, Clock, check_log, new_desk, note, noted, open_desk, site

KEEP = Retention(points_days=30, commits_hours=24, range_commits=3)


def stored(level: int, low: int, high: int, size: int = 100, age_hours: float = 0) -> LogObject:
    return LogObject(f"{level}/{low}-{high}", level, TXID(low), TXID(high), size, START_MS - int(age_hours * HOUR_MS))


def commit(txid: int, size: int = 100, age_hours: float = 0) -> LogObject:
    return stored(COMMIT_LEVEL, txid, txid, size, age_hours)


def snapshot(txid: int, size: int = 100, age_hours: float = 0) -> LogObject:
    return stored(SNAPSHOT_LEVEL, 1, txid, size, age_hours)


def fold(low: int, high: int, size: int = 100, age_hours: float = 0) -> LogObject:
    return stored(RANGE_LEVEL, low, high, size, age_hours)


@pytest.mark.parametrize(
    ("objects", "due"),
    [
        ([], False),
        ([commit(1, 1000)], False),
        ([commit(1, 1000), commit(2, 500)], False),
        ([commit(1, 1000), commit(2, 501)], True),
        ([commit(1, 1000), commit(2, 9000), snapshot(2, 1000)], False),
        ([commit(2, 9000), snapshot(2, 1000), commit(3, 250), commit(4, 250)], False),
        ([commit(2, 9000), snapshot(2, 1000), commit(3, 250), commit(4, 251)], True),
        ([commit(1, 1000), fold(2, 4, 300), fold(5, 9, 201), commit(10, 0)], True),
        ([commit(1, 1000), fold(2, 4, 300), commit(3, 300), commit(5, 200)], False),
        ([commit(1, 1000), fold(2, 4, 300), commit(3, 300), commit(5, 201)], True),
    ],
)
def test_a_snapshot_is_due_when_what_follows_the_last_exceeds_half_its_size(
    objects: list[LogObject], due: bool
) -> None:
    assert snapshot_due(objects) is due


# Longer than what is kept, and long enough for the bytes of a commit a day to call for a snapshot.
DAYS = 50


def test_commits_that_were_folded_and_pruned_every_day_still_lead_to_a_snapshot(
    folder: DirectoryStore, tmp_path: Path
) -> None:
    clock = Clock()
    vault = new_desk(folder, tmp_path / "cache", clock)
    for day in range(DAYS):
        vault.write(note(f"day {day:02}"), ACTOR)
        clock.ms += 25 * HOUR_MS
        tend(vault, clock.ms, KEEP)
    objects = vault.log.list_all()
    assert any(found.level == SNAPSHOT_LEVEL for found in objects)
    assert len(objects) < DAYS
    vault.close()
    check_log(folder)


def removed(objects: list[LogObject]) -> list[str]:
    return sorted(found.key for found in prunable(objects, START_MS, KEEP))


def test_a_young_commit_is_kept_though_a_range_holds_it() -> None:
    objects = [commit(1), commit(2, age_hours=24.1), commit(3, age_hours=23.9), fold(2, 3), commit(4)]
    assert removed(objects) == ["0/2-2"]


def test_an_old_commit_is_kept_unless_a_range_or_an_old_snapshot_holds_it() -> None:
    old = 31 * 24
    objects = [commit(1, age_hours=old), commit(2, age_hours=old), commit(3, age_hours=100), commit(4)]
    assert removed(objects) == []
    assert removed([*objects, snapshot(3, age_hours=100)]) == []
    assert removed([*objects, snapshot(2, age_hours=old)]) == ["0/1-1", "0/2-2"]


def test_the_newest_commit_is_kept_however_old() -> None:
    old = 40 * 24
    objects = [
        commit(1, age_hours=old),
        commit(2, age_hours=old),
        fold(2, 2, age_hours=old),
        snapshot(2, age_hours=old),
    ]
    assert removed(objects) == ["0/1-1"]


def test_of_the_snapshots_beyond_the_days_only_the_newest_is_kept() -> None:
    objects = [snapshot(txid, age_hours=hours) for txid, hours in ((2, 1000), (4, 800), (6, 700), (8, 1))]
    assert removed([*objects, commit(9)]) == ["9/1-2"]


def test_a_range_that_reaches_beyond_the_oldest_snapshot_is_kept() -> None:
    objects = [snapshot(4, age_hours=800), fold(2, 4, age_hours=900), fold(3, 5, age_hours=790), commit(9)]
    assert removed(objects) == ["1/2-4"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(folder: DirectoryStore, tmp_path: Path, clock: Clock) -> Iterator[Vault]:
    opened = new_desk(folder, tmp_path / "cache", clock)
    for name in "abcdefg":
        opened.write(note(name), ACTOR)
    yield opened
    opened.close()


def at_level(log: CommitLog, level: int) -> list[tuple[int, int]]:
    return [(found.min_txid, found.max_txid) for found in log.list_level(level)]


def test_old_commits_are_folded_into_ranges_of_the_wanted_length(vault: Vault, clock: Clock) -> None:
    assert make_ranges(vault.log, vault.log.list_all(), clock.ms + 23 * HOUR_MS, KEEP) == 0
    assert make_ranges(vault.log, vault.log.list_all(), clock.ms + 24 * HOUR_MS, KEEP) == 3
    assert at_level(vault.log, RANGE_LEVEL) == [(2, 4), (5, 7), (8, 9)]


def test_a_point_inside_a_range_cannot_be_restored_once_its_commit_is_pruned(vault: Vault, clock: Clock) -> None:
    before = {txid: database_at(vault.log, TXID(txid)) for txid in range(1, 10)}
    tend(vault, clock.ms + 25 * HOUR_MS, Retention(points_days=30, commits_hours=24, range_commits=3))
    for txid, database in before.items():
        if txid in (1, 4, 7, 9):
            assert database_at(vault.log, TXID(txid)) == database
        else:
            with pytest.raises(NotFound, match=f"no point {txid:016x}"):
                database_at(vault.log, TXID(txid))


def test_tending_twice_changes_nothing_more(vault: Vault, clock: Clock) -> None:
    assert tend(vault, clock.ms + 25 * HOUR_MS, KEEP) > 0
    objects = vault.log.list_all()
    assert tend(vault, clock.ms + 25 * HOUR_MS, KEEP) == 0
    assert vault.log.list_all() == objects


def test_two_processes_may_tend_at_once(folder: DirectoryStore, tmp_path: Path, vault: Vault, clock: Clock) -> None:
    faulty = FaultyStore(folder)
    other = open_desk(faulty, tmp_path / "other", clock)
    rivals = iter([vault])

    def tend_first(op: str) -> None:
        if op in ("snapshot:put", "range:put", "prune:delete") and (rival := next(rivals, None)) is not None:
            tend(rival, clock.ms, KEEP)

    faulty.before_call = tend_first
    clock.ms += 25 * HOUR_MS
    tend(other, clock.ms, KEEP)
    assert noted(other) == list("abcdefg")
    other.close()
    assert check_log(folder) == list("abcdefg")


def test_everything_older_than_the_days_kept_goes_but_for_the_snapshot_it_rests_on(
    folder: DirectoryStore, vault: Vault, clock: Clock
) -> None:
    make_snapshot(vault)
    clock.ms += 31 * DAY_MS
    vault.write(note("late"), ACTOR)
    tend(vault, clock.ms, KEEP)
    assert at_level(vault.log, SNAPSHOT_LEVEL) == [(1, 9)]
    assert at_level(vault.log, COMMIT_LEVEL) == [(10, 10)]
    assert check_log(folder) == [*"abcdefg", "late"]


def test_a_vault_opens_while_what_it_listed_is_being_pruned(store: ObjectStore, tmp_path: Path) -> None:
    clock = Clock()
    keeper = new_desk(store, tmp_path / "keeper", clock)
    for name in "abc":
        keeper.write(note(name), ACTOR)
    faulty = FaultyStore(store)
    pruning, pruned = threading.Lock(), []

    def prune_after_the_listing(op: str) -> None:
        if op == "log:get":
            with pruning:
                pruned.extend([] if pruned else [tend(keeper, 2 * START_MS, KEEP)])

    faulty.before_call = prune_after_the_listing
    vault = open_desk(faulty, tmp_path / "cache", clock)
    assert pruned[0] > 0
    assert noted(vault) == ["a", "b", "c"]
    vault.close()
    keeper.close()


def test_an_id_is_not_free_because_the_first_commit_was_pruned(
    folder: DirectoryStore, tmp_path: Path, vault: Vault, clock: Clock
) -> None:
    make_snapshot(vault)
    clock.ms += 31 * DAY_MS
    vault.write(note("late"), ACTOR)
    tend(vault, clock.ms, KEEP)
    assert vault.log.look(TXID(1)) is None
    with pytest.raises(Conflict) as caught:
        create_vault(site(folder, tmp_path / "intruder", clock), "desk", KIND)
    assert caught.value.code == "vault_exists"
    assert at_level(vault.log, COMMIT_LEVEL) == [(10, 10)]
