"""How few looks it takes to be current: one begun after the request did is enough, one begun before it never is."""

import threading
from pathlib import Path

from db.stores.base import ObjectMissing
from db.stores.directory import DirectoryStore
from db.transaction import WriteTx
from db.vault.freshness import Freshness, instant
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import ACTOR, new_desk, note, noted, open_desk, requests
from tests.engine.held_put import PATIENCE_S, wait_until


def looks(store: FaultyStore) -> int:
    return store.calls["commit:look"]


def test_what_was_opened_for_a_request_is_current_for_it(folder: DirectoryStore, tmp_path: Path) -> None:
    other = new_desk(folder, tmp_path / "other")
    other.write(note("a"), ACTOR)
    store, began = FaultyStore(folder), instant()
    vault = open_desk(store, tmp_path / "cache")
    before = looks(store)
    assert vault.read(requests, Freshness(since=began)).value == ["a"]
    assert vault.read(requests, Freshness(since=began)).value == ["a"]
    vault.write(note("b"), ACTOR, since=began)
    assert looks(store) == before == 1, "the one beside the opening"
    vault.close()
    vault = open_desk(store, tmp_path / "cache")
    assert vault.read(requests, Freshness(since=began)).value == ["a", "b"]
    assert looks(store) == before + 2, "at the commit the folder stands at, and behind it"
    other.close()
    vault.close()


def test_a_request_that_begins_later_looks_again(folder: DirectoryStore, tmp_path: Path) -> None:
    other, store = new_desk(folder, tmp_path / "other"), FaultyStore(folder)
    vault = open_desk(store, tmp_path / "cache")
    other.write(note("a"), ACTOR)
    before, began = looks(store), instant()
    assert vault.read(requests, Freshness(since=began)).value == ["a"]
    assert looks(store) > before
    other.write(note("b"), ACTOR)
    assert vault.read(requests, Freshness(since=began)).value == ["a"], "b came when this request had begun"
    assert vault.read(requests, Freshness(since=instant())).value == ["a", "b"]
    other.write(note("c"), ACTOR)
    assert vault.read(requests).value == ["a", "b", "c"]
    other.close()
    vault.close()


def test_an_own_commit_is_as_good_as_a_look(folder: DirectoryStore, tmp_path: Path) -> None:
    new_desk(folder, tmp_path / "maker").close()
    store, began = FaultyStore(folder), instant()
    vault = open_desk(store, tmp_path / "cache")
    vault.write(note("a"), ACTOR)
    before = looks(store)
    assert vault.read(requests, Freshness(since=began)).value == ["a"]
    assert looks(store) == before
    vault.close()


def test_what_is_committed_while_a_vault_opens_is_seen_by_who_asks_afterwards(
    folder: DirectoryStore, tmp_path: Path
) -> None:
    other, store = new_desk(folder, tmp_path / "other"), FaultyStore(folder)
    names = iter("abc")

    def commit_first(op: str) -> None:
        if op in ("log:get", "commit:look") and (name := next(names, None)) is not None:
            other.write(note(name), ACTOR)

    store.before_call = commit_first
    vault = open_desk(store, tmp_path / "cache")
    store.before_call = lambda op: None
    assert vault.read(requests, Freshness(since=instant())).value == noted(other)
    other.close()
    vault.close()


class SlowLooks(FaultyStore):
    """Keeps back the news that there is no next commit, once, until `release`."""

    def __init__(self, inner: DirectoryStore) -> None:
        super().__init__(inner)
        self.armed = False
        self.held = threading.Event()
        self.released = threading.Event()

    def get(self, key: str, *, op: str, start: int = 0, limit: int | None = None) -> bytes:
        try:
            return super().get(key, op=op, start=start, limit=limit)
        except ObjectMissing:
            if self.armed:
                self.armed = False
                self.held.set()
                assert self.released.wait(PATIENCE_S)
            raise


def test_a_work_that_joins_during_a_look_is_not_answered_by_what_it_showed(
    folder: DirectoryStore, tmp_path: Path
) -> None:
    """Its answer is "already there", or not; nothing is put, so no put would tell that the base is old."""
    other, store = new_desk(folder, tmp_path / "other"), SlowLooks(folder)
    vault = open_desk(store, tmp_path / "cache")
    answers: dict[str, bool] = {}

    def is_noted(tx: WriteTx) -> bool:
        return bool(tx.value("SELECT count(*) FROM requests WHERE id = 'a'"))

    def ask(who: str) -> None:
        answers[who] = vault.write(is_noted, ACTOR).value

    store.armed = True
    first = threading.Thread(target=ask, args=("first",))
    first.start()
    assert store.held.wait(PATIENCE_S)
    other.write(note("a"), ACTOR)
    second = threading.Thread(target=ask, args=("second",))
    second.start()
    wait_until(lambda: len(vault._leader._queue._waiting) == 2)
    store.released.set()
    for thread in (first, second):
        thread.join(PATIENCE_S)
    assert answers["second"], "the commit was acknowledged before this one was asked"
    other.close()
    vault.close()
