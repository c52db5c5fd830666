"""What readers may see: never a row whose commit is not durable, and always every commit that was durable before."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from db.errors import StoreUnavailable
from db.log.bookmark import parse_bookmark
from db.stores.directory import DirectoryStore
from db.transaction import ReadTx
from db.vault.vault import FIRST_PRIMARY, FIRST_UNCONSTRAINED, Freshness, Vault, VaultOptions
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import ACTOR, check_log, new_desk, note, noted, open_desk, requests
from tests.engine.held_put import PATIENCE_S, HeldPut, Writers

ROUNDS = 30


@pytest.fixture
def faulty(folder: DirectoryStore) -> FaultyStore:
    return FaultyStore(folder)


@pytest.fixture(params=[1, 3], ids=["one reader", "three readers"])
def vault(request: pytest.FixtureRequest, faulty: FaultyStore, tmp_path: Path) -> Iterator[Vault]:
    opened = new_desk(faulty, tmp_path / "cache", options=VaultOptions(readers=request.param))
    yield opened
    opened.close()


def slow_down_puts(op: str) -> None:
    if op == "commit:put":
        time.sleep(0.003)


def reading(vault: Vault, at: Freshness, seen: list[list[str]], stop: threading.Event) -> threading.Thread:
    """A thread that reads until it is stopped."""

    def read() -> None:
        while not stop.is_set():
            seen.append(vault.read(requests, at).value)

    thread = threading.Thread(target=read)
    thread.start()
    return thread


def test_no_reader_ever_sees_a_row_whose_put_fails(faulty: FaultyStore, vault: Vault, folder: DirectoryStore) -> None:
    seen: list[list[str]] = []
    stop = threading.Event()
    first = Freshness(bookmark=parse_bookmark(vault.bookmark))
    threads = [
        reading(vault, at, seen, stop) for at in (FIRST_PRIMARY, FIRST_UNCONSTRAINED, FIRST_UNCONSTRAINED, first)
    ]
    faulty.before_call = slow_down_puts
    made: list[str] = []
    for number in range(ROUNDS):
        name = f"request {number:02}"
        faults = ("error_before", "timeout_lost", "error_after", None)
        if (fault := faults[number % len(faults)]) is not None:
            faulty.arm(fault, "commit:put")
        try:
            vault.write(note(name), ACTOR)
        except StoreUnavailable:
            continue
        made.append(name)
    stop.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert seen
    assert all(rows == made[: len(rows)] for rows in seen)
    assert len(made) < ROUNDS
    assert check_log(folder) == made


def test_readers_go_on_at_the_durable_commit_while_a_put_is_on_its_way(faulty: FaultyStore, vault: Vault) -> None:
    vault.write(note("made"), ACTOR)
    held, writers = HeldPut(faulty), Writers(vault)
    writers.start("unmade", note("unmade"))
    held.wait()
    bookmark = Freshness(bookmark=parse_bookmark(vault.bookmark))
    for at in (FIRST_PRIMARY, FIRST_UNCONSTRAINED, bookmark):
        answer = vault.read(requests, at)
        assert (answer.value, answer.bookmark) == (["made"], vault.bookmark)
    held.release(StoreUnavailable("refused by the test"))
    assert isinstance(writers.join()["unmade"], StoreUnavailable)
    assert noted(vault) == ["made"]


@pytest.mark.parametrize("fails", [True, False])
def test_a_reader_that_was_busy_sees_the_commit_it_missed_and_not_the_unmade_one(
    faulty: FaultyStore, vault: Vault, fails: bool
) -> None:
    entered, leave = threading.Barrier(vault.options.readers + 1), threading.Event()

    def linger(tx: ReadTx) -> list[str]:
        entered.wait(PATIENCE_S)
        assert leave.wait(PATIENCE_S)
        return requests(tx)

    lingering = Readers(vault, linger, vault.options.readers)
    entered.wait(PATIENCE_S)
    vault.write(note("missed"), ACTOR)
    leave.set()
    assert lingering.join() == [[]] * vault.options.readers, "each read stands still at the commit it began with"
    assert {reader.head.txid for reader in vault._copy.connections.readers} == {vault.head.txid - 1}

    held, writers = HeldPut(faulty), Writers(vault)
    writers.start("unmade", note("unmade"))
    held.wait()
    late = Readers(vault, requests, 3)
    held.release(StoreUnavailable("refused by the test") if fails else None)
    writers.join()
    missed, both = ["missed"], ["missed", "unmade"]
    assert all(rows == missed or (rows == both and not fails) for rows in late.join())
    assert noted(vault) == (missed if fails else both)


class Readers:
    """Threads that read once each, without a look at the store."""

    def __init__(self, vault: Vault, work: Callable[[ReadTx], list[str]], number: int) -> None:
        self._values: list[list[str]] = []
        self._threads = [threading.Thread(target=self._read, args=(vault, work)) for _ in range(number)]
        for thread in self._threads:
            thread.start()

    def _read(self, vault: Vault, work: Callable[[ReadTx], list[str]]) -> None:
        self._values.append(vault.read(work, FIRST_UNCONSTRAINED).value)

    def join(self) -> list[list[str]]:
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        return self._values


def test_a_current_read_sees_what_another_process_made_durable_before_it(
    faulty: FaultyStore, vault: Vault, tmp_path: Path
) -> None:
    """The narrow case: our own commit is in the log and not yet accepted, and the other's follows it."""
    rival = open_desk(faulty.inner, tmp_path / "rival")
    put, looked = threading.Event(), threading.Event()

    def after(op: str) -> None:
        if op == "commit:put":
            put.set()
            assert looked.wait(PATIENCE_S)
        elif op == "commit:look" and put.is_set():
            looked.set()

    faulty.after_call = after
    writers = Writers(vault)
    writers.start("own", note("own"))
    assert put.wait(PATIENCE_S)
    rival.write(note("rival's"), ACTOR)
    assert noted(vault) == ["own", "rival's"]
    writers.join()
    rival.close()


def test_a_bookmark_of_one_process_brings_the_other_up_to_it(
    vault: Vault, tmp_path: Path, folder: DirectoryStore
) -> None:
    other_store = FaultyStore(folder)
    other = open_desk(other_store, tmp_path / "other")
    answer = vault.write(note("a"), ACTOR)
    at = Freshness(bookmark=parse_bookmark(answer.bookmark))
    assert other.read(requests, FIRST_UNCONSTRAINED).value == []
    found = other.read(requests, at)
    assert (found.value, found.bookmark) == (["a"], answer.bookmark)
    other_store.calls.clear()
    assert other.read(requests, at).value == ["a"]
    assert other_store.calls == {}
    other.close()
