"""Bookmarks and restores: any point that is kept can be named by its bookmark or by a time, and brought back."""

from pathlib import Path

import pytest

from db.clock import Moment
from db.errors import Invalid, NotFound
from db.history.points import find_point, restore
from db.log.bookmark import parse_bookmark
from db.log.retention import DAY_MS, HOUR_MS, Retention, tend
from db.schema.migrate import load_set
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from db.transaction import WriteTx
from db.vault.opening import Kind, open_vault
from db.vault.vault import Freshness
from tests.engine.desk import ACTOR, START_MS, check_log, commits, note, noted
from tests.engine.history_desk import DESK, OPERATOR, Desk, audit, chain_of


@pytest.fixture
def desk(folder: DirectoryStore, tmp_path: Path):
    made = Desk(folder, tmp_path)
    yield made
    made.vault.close()


# Bookmarks


def test_bookmarks_sort_as_the_commits_do(desk: Desk) -> None:
    bookmarks = [desk.write(f"{number:02}") for number in range(20)]
    desk.restore(bookmarks[3])
    bookmarks.append(desk.vault.bookmark)
    assert bookmarks == sorted(bookmarks)
    assert len(set(bookmarks)) == 21


@pytest.mark.parametrize("txid", [1, 0xFFFFFFFF, 0x100000000, 2**64 - 1])
def test_bookmarks_sort_across_the_border_of_32_bits(txid: int) -> None:
    text = f"{txid >> 32:08x}-{txid & 0xFFFFFFFF:08x}-00000000-{'f' * 32}"
    assert str(parse_bookmark(text)) == text
    assert parse_bookmark(text).txid == txid


@pytest.mark.parametrize(
    "text",
    [
        "00000000-00000001-00000000-" + "f" * 31,
        "00000000-00000001-00000000-" + "f" * 33,
        "00000000-00000001-00000000-" + "F" * 32,
        "00000000-00000001-00000001-" + "f" * 32,
        "00000000-00000001-00000000-" + "g" * 32,
        "00000000-00000001-00000000-" + "f" * 32 + "\n",
    ],
)
def test_text_that_only_resembles_a_bookmark_is_refused(desk: Desk, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        find_point(desk.vault.log, text)
    assert caught.value.code == "bookmark_invalid"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-05-01T19:00:00", "1777000000000"])
def test_text_that_is_neither_bookmark_nor_time_is_refused(desk: Desk, text: str) -> None:
    with pytest.raises(Invalid):
        find_point(desk.vault.log, text)


def later(bookmark: str) -> str:
    """The text of a bookmark of the same vault, many commits on."""
    return f"{bookmark[:9]}00000063{bookmark[17:]}"


def of_another_vault(folder: DirectoryStore, tmp_path: Path) -> list[str]:
    """The bookmarks of three commits of another vault."""
    other = Desk(folder, tmp_path, "other")
    bookmarks = [other.vault.bookmark, other.write("a"), other.write("b")]
    other.vault.close()
    return bookmarks


@pytest.mark.parametrize("txid", [1, 2])
def test_a_bookmark_of_another_vault_brings_nothing_back(
    desk: Desk, folder: DirectoryStore, tmp_path: Path, txid: int
) -> None:
    theirs = of_another_vault(folder, tmp_path)[txid - 1]
    desk.write("a")
    head = desk.vault.head
    with pytest.raises(Invalid) as caught:
        desk.restore(theirs)
    assert caught.value.code == "bookmark_unknown"
    assert desk.vault.head == head


@pytest.mark.parametrize("txid", [1, 2, 3])
def test_a_read_refuses_a_bookmark_of_another_vault(
    desk: Desk, folder: DirectoryStore, tmp_path: Path, txid: int
) -> None:
    theirs = parse_bookmark(of_another_vault(folder, tmp_path)[txid - 1])
    desk.write("a")
    with pytest.raises(Invalid) as caught:
        desk.vault.read(lambda tx: tx.value("SELECT 1"), Freshness(bookmark=theirs))
    assert caught.value.code == "bookmark_unknown"


def test_a_read_refuses_a_bookmark_ahead_of_the_vault(desk: Desk) -> None:
    with pytest.raises(Invalid) as caught:
        desk.vault.read(lambda tx: tx.value("SELECT 1"), Freshness(bookmark=parse_bookmark(later(desk.write("a")))))
    assert caught.value.code == "bookmark_ahead"


def test_a_bookmark_ahead_of_the_vault_cannot_be_restored(desk: Desk) -> None:
    with pytest.raises(Invalid) as caught:
        desk.restore(later(desk.write("a")))
    assert caught.value.code == "bookmark_ahead"


def test_a_bookmark_of_another_vault_ahead_of_this_one_is_not_taken_for_a_pruned_point(
    desk: Desk, folder: DirectoryStore, tmp_path: Path
) -> None:
    theirs = of_another_vault(folder, tmp_path)[2]
    with pytest.raises(Invalid) as caught:
        desk.restore(theirs)
    assert caught.value.code == "bookmark_unknown"


# Restoring


def test_a_restore_brings_back_the_rows_at_a_bookmark(store: ObjectStore, tmp_path: Path) -> None:
    desk = Desk(store, tmp_path)
    first = desk.write("a")
    desk.write("b")
    desk.vault.write(lambda tx: tx.execute("DELETE FROM requests WHERE id = 'a'"), ACTOR)
    desk.restore(first)
    assert noted(desk.vault) == ["a"]
    desk.write("c")
    desk.vault.close()
    assert check_log(store) == ["a", "c"]


def test_a_restore_is_one_commit_and_the_history_before_it_stays(desk: Desk) -> None:
    bookmarks = [desk.write(name) for name in "abc"]
    before = len(commits(desk.vault.log))
    desk.restore(bookmarks[0])
    assert len(commits(desk.vault.log)) == before + 1
    assert [find_point(desk.vault.log, bookmark).txid for bookmark in bookmarks] == [2, 3, 4]


def test_a_restore_is_undone_by_the_bookmark_before_it(desk: Desk) -> None:
    first = desk.write("a")
    desk.write("b")
    before = desk.restore(first)
    desk.restore(before)
    assert noted(desk.vault) == ["a", "b"]


def test_a_restore_reaches_another_open_instance(desk: Desk, tmp_path: Path) -> None:
    other = open_vault(desk.site, "desk", DESK)
    first = desk.write("a")
    desk.write("b")
    assert noted(other) == ["a", "b"]
    desk.restore(first)
    assert noted(other) == ["a"]
    other.write(note("c"), ACTOR)
    assert noted(desk.vault) == ["a", "c"]
    other.close()


def test_a_restore_shrinks_and_grows_the_file(desk: Desk, folder: DirectoryStore) -> None:
    small = desk.write("a")

    def fill(tx: WriteTx) -> None:
        for number in range(200):
            tx.insert("requests", id=f"b{number}", note="x" * 3000)

    large = desk.vault.write(fill, ACTOR).bookmark
    desk.restore(small)
    assert noted(desk.vault) == ["a"]
    desk.restore(large)
    assert len(noted(desk.vault)) == 201
    assert len(check_log(folder)) == 201


@pytest.mark.parametrize(
    ("offset_ms", "found"), [(1000, ["a"]), (1001, ["a"]), (1999, ["a"]), (2000, ["a", "b"]), (9_999_999, ["a", "b"])]
)
def test_a_time_names_the_last_commit_at_or_before_it(desk: Desk, offset_ms: int, found: list[str]) -> None:
    desk.write("a")
    desk.write("b")
    desk.restore(Moment(START_MS + offset_ms).text)
    assert noted(desk.vault) == found


def test_a_time_with_an_offset_is_the_same_instant(desk: Desk) -> None:
    desk.write("a")
    utc = find_point(desk.vault.log, "2026-04-24T03:06:41Z")
    assert find_point(desk.vault.log, "2026-04-24T06:06:41+03:00") == utc
    assert (utc.txid, utc.timestamp) == (2, Moment(START_MS + 1000).text)


def test_a_time_before_the_first_commit_is_out_of_range(desk: Desk) -> None:
    desk.write("a")
    with pytest.raises(NotFound) as caught:
        desk.restore(Moment(START_MS - 1).text)
    assert caught.value.code == "time_out_of_range"
    assert noted(desk.vault) == ["a"]


def test_a_time_shared_by_several_commits_names_the_last_of_them(desk: Desk) -> None:
    for name in "abc":
        desk.vault.write(note(name), ACTOR)
    assert find_point(desk.vault.log, Moment(START_MS).text).txid == 4


def test_commits_of_a_clock_that_runs_behind_are_not_dated_before_the_ones_they_follow(desk: Desk) -> None:
    desk.write("a")
    desk.clock.ms = START_MS - DAY_MS
    desk.vault.write(note("b"), ACTOR)
    assert find_point(desk.vault.log, Moment(START_MS + 1000).text).txid == 3


def test_a_restore_to_the_present_point_still_says_so_in_the_audit_log(desk: Desk) -> None:
    now = desk.write("a")
    desk.restore(now)
    assert noted(desk.vault) == ["a"]
    assert audit(desk.vault)[-1] == ("person-9", "note", "[]")


# Points that were pruned


@pytest.fixture
def pruned(folder: DirectoryStore, tmp_path: Path):
    """Eleven commits: the first five gave way to a snapshot of the sixth, the others to ranges of two."""
    desk = Desk(folder, tmp_path)
    keep = Retention(points_days=3, commits_hours=24, range_commits=2)
    bookmarks = [desk.vault.bookmark]

    def write(number: int) -> None:
        desk.clock.ms += HOUR_MS
        work = desk.vault.write(lambda tx: tx.insert("requests", id=f"{number:02}", note="x" * 20_000), ACTOR)
        bookmarks.append(work.bookmark)

    for number in range(2, 7):
        write(number)
    tend(desk.vault, desk.clock.ms, keep)
    desk.clock.ms += 4 * DAY_MS
    for number in range(7, 12):
        write(number)
    desk.clock.ms += 2 * DAY_MS
    tend(desk.vault, desk.clock.ms, keep)
    assert {found.max_txid for found in desk.vault.log.list_all()} == {6, 7, 9, 11}
    yield desk, bookmarks
    desk.vault.close()


@pytest.mark.parametrize(("txid", "nearest"), [(8, 7), (10, 9)])
def test_a_pruned_point_names_the_nearest_one_before_it(
    pruned: tuple[Desk, list[str]], txid: int, nearest: int
) -> None:
    desk, bookmarks = pruned
    with pytest.raises(NotFound, match=f"no point {txid:016x} in the log; the nearest before it is {nearest:016x}"):
        desk.restore(bookmarks[txid - 1])


def test_a_point_before_the_oldest_one_kept_names_the_oldest(pruned: tuple[Desk, list[str]]) -> None:
    desk, bookmarks = pruned
    with pytest.raises(NotFound) as caught:
        desk.restore(bookmarks[0])
    assert f"{6:016x}" in caught.value.message
    assert f"{0:016x}" not in caught.value.message


def test_a_time_that_was_pruned_is_out_of_range(pruned: tuple[Desk, list[str]]) -> None:
    desk, _ = pruned
    with pytest.raises(NotFound) as caught:
        desk.restore(Moment(START_MS + 5 * HOUR_MS - 1).text)
    assert caught.value.code == "time_out_of_range"


def test_the_time_of_a_commit_that_was_folded_names_the_point_before_it(pruned: tuple[Desk, list[str]]) -> None:
    desk, _ = pruned
    sixth_ms = START_MS + 5 * HOUR_MS
    assert find_point(desk.vault.log, Moment(sixth_ms).text).txid == 6
    eighth_ms = sixth_ms + 4 * DAY_MS + 2 * HOUR_MS
    assert find_point(desk.vault.log, Moment(eighth_ms).text).txid == 7


@pytest.mark.parametrize("txid", [6, 7, 9, 11])
def test_a_point_that_is_kept_can_be_restored_by_its_bookmark_and_by_a_time(
    pruned: tuple[Desk, list[str]], txid: int
) -> None:
    desk, bookmarks = pruned
    point = find_point(desk.vault.log, bookmarks[txid - 1])
    assert point.txid == txid
    assert find_point(desk.vault.log, point.timestamp) == point
    desk.restore(bookmarks[txid - 1])
    assert noted(desk.vault) == [f"{number:02}" for number in range(2, txid + 1)]


# Restoring across a migration


def test_a_restore_to_before_a_migration_is_migrated_by_the_next_open(folder: DirectoryStore, tmp_path: Path) -> None:
    (tmp_path / "sets" / "extra").mkdir(parents=True)
    (tmp_path / "sets" / "extra" / "0001_extra.sql").write_text("CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT;")
    newer = Kind((*DESK.sets, load_set("extra", tmp_path / "sets")), DESK.redacted)
    desk = Desk(folder, tmp_path)
    before = desk.write("a")
    desk.vault.close()
    vault = open_vault(desk.site, "desk", newer)
    vault.write(lambda tx: tx.insert("extra", id=1), ACTOR)
    restore(vault, desk.site, before, OPERATOR)
    vault.close()
    vault = open_vault(desk.site, "desk", newer)
    assert vault.refusal is None
    assert vault.read(lambda tx: tx.value("SELECT count(*) FROM extra")).value == 0
    assert chain_of(vault)[1] is None
    vault.close()
