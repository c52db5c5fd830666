"""What somebody writes into a local copy by hand is kept aside; it reaches neither the log nor a reader."""

from pathlib import Path

import pytest

import db.vault.write_leader
from db.errors import StoreUnavailable
from db.history.points import restore
from db.stores.directory import DirectoryStore
from db.vault.vault import VaultOptions
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import ACTOR, Clock, check_log, content, content_at, new_desk, note, noted, open_desk, site
from tests.engine.local_files import HAND_EDIT, add_shelf, edit_by_hand, kept_shelves, shelves, slot


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_an_edit_while_closed_is_kept_aside_and_not_published(folder: DirectoryStore, cache: Path, events) -> None:
    new_desk(folder, cache).close()
    edit_by_hand(cache)
    vault = open_desk(folder, cache)
    assert vault.read(shelves).value == []
    (kept,) = events("EditKept")
    assert kept_shelves(Path(kept)) == ["by hand"]
    vault.write(add_shelf("by the engine"), ACTOR)
    assert content_at(vault.log, vault.head.txid)["shelves"] == [(1, "integer", "by the engine", "text")]
    vault.close()


@pytest.mark.parametrize(
    "then",
    [
        "write",
        "close",
        "catch up",
        "fold",
        "restore",
        "alter",
    ],
)
def test_an_edit_while_open_is_kept_aside_and_not_published(
    folder: DirectoryStore, cache: Path, tmp_path: Path, events, then: str
) -> None:
    options = VaultOptions(wal_bytes=1) if then == "fold" else VaultOptions()
    vault = new_desk(folder, cache, options=options)
    before = vault.bookmark
    vault.write(note("a"), ACTOR)
    edit_by_hand(cache)
    if then in ("write", "fold"):
        vault.write(note("b"), ACTOR)
    elif then == "catch up":
        rival = open_desk(folder, tmp_path / "rival")
        rival.write(note("b"), ACTOR)
        rival.close()
        assert noted(vault) == ["a", "b"]
    elif then == "restore":
        restore(vault, site(folder, cache), before, ACTOR)
    elif then == "alter":
        vault.alter(lambda connection: bool(connection.execute("CREATE TABLE extra (id INTEGER) STRICT")))
    if then == "close":
        vault.close()
        vault = open_desk(folder, cache)
    assert vault.read(shelves).value == []
    (kept,) = events("EditKept")
    assert kept_shelves(Path(kept)) == ["by hand"]
    assert vault.read_raw(lambda connection, _: content(connection)).value == content_at(vault.log, vault.head.txid)
    check_log(folder)
    vault.close()


def test_an_edit_while_the_store_is_asked_is_not_taken_in_with_what_it_answers(
    folder: DirectoryStore, cache: Path, tmp_path: Path, events
) -> None:
    faulty = FaultyStore(folder)
    vault = new_desk(faulty, cache)
    rival = open_desk(folder, tmp_path / "rival")
    rival.write(note("a"), ACTOR)
    edits = [HAND_EDIT]

    def edit_during_the_second_look(op: str) -> None:
        if faulty.calls["commit:look"] == 2 and edits:
            edit_by_hand(cache, edits.pop())

    faulty.calls.clear()
    faulty.after_call = edit_during_the_second_look
    assert noted(vault) == ["a"]
    assert edits == []
    assert vault.read(shelves).value == []
    assert len(events("EditKept")) == 1
    vault.close()
    rival.close()


def test_an_edit_at_the_very_moment_of_a_commit_is_not_published(
    folder: DirectoryStore, cache: Path, monkeypatch: pytest.MonkeyPatch, events
) -> None:
    vault = new_desk(folder, cache)
    original, edits = db.vault.write_leader.run_group, [HAND_EDIT]

    def run_after_an_edit(*args):
        if edits:
            edit_by_hand(cache, edits.pop())
        return original(*args)

    monkeypatch.setattr(db.vault.write_leader, "run_group", run_after_an_edit)
    vault.write(note("a"), ACTOR)
    assert vault.read(shelves).value == []
    assert content_at(vault.log, vault.head.txid)["shelves"] == []
    assert len(events("EditKept")) == 1
    assert check_log(folder) == ["a"]
    vault.close()


def test_only_the_newest_kept_edits_stay(folder: DirectoryStore, cache: Path) -> None:
    clock = Clock()
    new_desk(folder, cache, clock).close()
    for number in range(5):
        clock.ms += 1000
        vault = open_desk(folder, cache, clock)
        vault.write(note(f"request {number}"), ACTOR)
        vault.close()
        edit_by_hand(cache, f"INSERT INTO shelves (name) VALUES ('by hand {number}')")
    open_desk(folder, cache, clock).close()
    kept = sorted((slot(cache) / "kept").glob("*.sqlite"))
    assert [kept_shelves(path) for path in kept] == [[f"by hand {number}"] for number in (2, 3, 4)]


def test_a_store_that_fails_while_an_edit_is_undone_leaves_a_vault_that_recovers(
    folder: DirectoryStore, cache: Path
) -> None:
    faulty = FaultyStore(folder)
    vault = new_desk(faulty, cache)
    edit_by_hand(cache)
    faulty.arm("error_before", "log:get")
    with pytest.raises(StoreUnavailable):
        vault.write(note("a"), ACTOR)
    vault.write(note("b"), ACTOR)
    assert noted(vault) == ["b"]
    assert vault.read(shelves).value == []
    vault.close()
