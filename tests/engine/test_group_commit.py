"""Works that share a commit: each fails alone, all are answered after the put, and few calls of the store suffice."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.errors import StoreUnavailable
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from db.transaction import WriteTx
from db.vault.commit_group import TransactionLost
from db.vault.vault import FIRST_UNCONSTRAINED, Vault, VaultOptions
from tests.db.faulty_store import FaultyStore
from tests.engine.desk import ACTOR, check_log, new_desk, note, noted
from tests.engine.held_put import HeldPut, Writers, wait_until

MANY = 64


@pytest.fixture
def faulty(folder: DirectoryStore) -> FaultyStore:
    return FaultyStore(folder)


@pytest.fixture
def vault(faulty: FaultyStore, tmp_path: Path) -> Iterator[Vault]:
    opened = new_desk(faulty, tmp_path / "cache")
    yield opened
    opened.close()


def visit(tx: WriteTx) -> int:
    """One more visit; the number of it."""
    tx.execute("UPDATE counters SET value = value + 1 WHERE id = 'visits'")
    return int(tx.value("SELECT value FROM counters WHERE id = 'visits'"))


def visits(vault: Vault) -> int:
    return int(vault.read(lambda tx: tx.value("SELECT value FROM counters WHERE id = 'visits'")).value)


def pledge_without_a_book(tx: WriteTx) -> None:
    """Breaks a reference that SQLite checks at COMMIT only."""
    tx.insert("pledges", id=1, book_id=404)


def test_a_failing_work_rolls_back_alone(faulty: FaultyStore, vault: Vault) -> None:
    held, writers = HeldPut(faulty), Writers(vault)
    writers.start("first", note("first"))
    held.wait()

    def fail(tx: WriteTx) -> None:
        tx.insert("requests", id="half", note=None)
        raise ValueError("not this one")

    writers.queue("before", visit)
    writers.queue("failing", fail)
    writers.queue("after", visit)
    head = vault.head.txid
    held.release()
    outcome = writers.join()
    assert [outcome["before"], outcome["after"]] == [1, 2]
    assert isinstance(outcome["failing"], ValueError)
    assert noted(vault) == ["first"]
    assert vault.head.txid == head + 2, "the works behind the first shared one commit"


def test_a_broken_deferred_reference_is_blamed_on_its_own_work(faulty: FaultyStore, vault: Vault) -> None:
    held, writers = HeldPut(faulty), Writers(vault)
    writers.start("first", visit)
    held.wait()
    writers.queue("before", visit)
    writers.queue("broken", pledge_without_a_book)
    writers.queue("after", visit)
    held.release()
    outcome = writers.join()
    assert [outcome["first"], outcome["before"], outcome["after"]] == [1, 2, 3]
    assert isinstance(outcome["broken"], sqlite3.IntegrityError)
    assert visits(vault) == 3


def test_a_broken_deferred_reference_of_a_single_work_leaves_nothing(vault: Vault, folder: DirectoryStore) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        vault.write(pledge_without_a_book, ACTOR)
    assert vault.read(lambda tx: tx.value("SELECT count(*) FROM pledges")).value == 0
    vault.write(note("next"), ACTOR)
    assert check_log(folder) == ["next"]


def test_a_statement_that_rolls_everything_back_undoes_no_other_work(faulty: FaultyStore, vault: Vault) -> None:
    vault.write(note("taken"), ACTOR)
    held, writers = HeldPut(faulty), Writers(vault)
    writers.start("first", visit)
    held.wait()

    def collide(tx: WriteTx) -> None:
        tx.execute("INSERT OR ROLLBACK INTO requests (id) VALUES ('taken')")

    writers.queue("before", visit)
    writers.queue("colliding", collide)
    writers.queue("after", visit)
    held.release()
    outcome = writers.join()
    assert sorted(outcome[name] for name in ("first", "before", "after")) == [1, 2, 3]
    assert isinstance(outcome["colliding"], sqlite3.IntegrityError)
    assert visits(vault) == 3


def test_a_work_that_goes_on_after_losing_the_transaction_leaves_nothing(vault: Vault, folder: DirectoryStore) -> None:
    vault.write(note("taken"), ACTOR)

    def go_on(tx: WriteTx) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            tx.execute("INSERT OR ROLLBACK INTO requests (id) VALUES ('taken')")
        tx.insert("requests", id="half", note=None)

    with pytest.raises(TransactionLost):
        vault.write(go_on, ACTOR)
    assert noted(vault) == ["taken"]
    vault.write(note("next"), ACTOR)
    assert check_log(folder) == ["next", "taken"]


def test_an_interrupt_of_the_leader_loses_no_other_work(faulty: FaultyStore, vault: Vault) -> None:
    held, writers = HeldPut(faulty), Writers(vault)
    writers.start("first", visit)
    held.wait()

    def interrupted(tx: WriteTx) -> None:
        visit(tx)
        raise KeyboardInterrupt

    writers.queue("leader", interrupted)
    writers.queue("second", visit)
    writers.queue("third", visit)
    held.release()
    outcome = writers.join()
    assert isinstance(outcome["leader"], KeyboardInterrupt)
    assert [outcome["first"], outcome["second"], outcome["third"]] == [1, 2, 3]
    assert visits(vault) == 3


@pytest.mark.parametrize("moment", ["before_call", "after_call"])
def test_an_interrupt_during_the_put_doubles_no_work(faulty: FaultyStore, vault: Vault, moment: str) -> None:
    held, writers = HeldPut(faulty), Writers(vault)
    writers.start("first", visit)
    held.wait()
    for name in ("leader", "second", "third"):
        writers.queue(name, visit)
    puts_before = faulty.calls["commit:put"]

    def interrupt(op: str) -> None:
        if op == "commit:put" and faulty.calls[op] == puts_before + 1:
            raise KeyboardInterrupt

    setattr(faulty, moment, interrupt)
    held.release()
    outcome = writers.join()
    assert isinstance(outcome["leader"], KeyboardInterrupt)
    assert [outcome["first"], outcome["second"], outcome["third"]] == [1, 3, 4]
    assert visits(vault) == 4


def test_an_interrupted_work_of_a_broken_group_leaves_the_others_running(faulty: FaultyStore, vault: Vault) -> None:
    held, writers = HeldPut(faulty), Writers(vault)
    runs: list[str] = []
    writers.start("first", visit)
    held.wait()

    def interrupted_at_the_second_run(tx: WriteTx) -> int:
        runs.append("run")
        if len(runs) == 2:
            raise KeyboardInterrupt
        return visit(tx)

    writers.queue("leader", visit)
    writers.queue("interrupted", interrupted_at_the_second_run)
    writers.queue("broken", pledge_without_a_book)
    writers.queue("last", visit)
    held.release()
    outcome = writers.join()
    assert isinstance(outcome["leader"], KeyboardInterrupt)
    assert isinstance(outcome["broken"], sqlite3.IntegrityError)
    assert outcome["interrupted"] in (3, 4)
    assert outcome["last"] in (3, 4)
    assert visits(vault) == 4


def test_no_result_of_a_group_is_given_before_the_put(faulty: FaultyStore, vault: Vault) -> None:
    held, writers = HeldPut(faulty), Writers(vault)
    ran: list[str] = []

    def work(tx: WriteTx) -> int:
        ran.append("run")
        return visit(tx)

    writers.start("first", work)
    held.wait()
    assert ran == ["run"]
    assert writers.outcome == {}
    assert vault.read(lambda tx: tx.value("SELECT value FROM counters"), FIRST_UNCONSTRAINED).value == 0
    held.release()
    assert writers.join() == {"first": 1}


def test_a_group_whose_put_is_refused_fails_as_one_and_leaves_nothing(faulty: FaultyStore, vault: Vault) -> None:
    held, writers = HeldPut(faulty), Writers(vault)
    writers.start("first", visit)
    held.wait()
    for number in range(3):
        writers.queue(f"waiting {number}", visit)
    faulty.arm("error_before", "commit:put")
    held.release()
    outcome = writers.join()
    assert outcome.pop("first") == 1
    assert {type(error) for error in outcome.values()} == {StoreUnavailable}
    assert visits(vault) == 1


def test_many_writers_share_puts(faulty: FaultyStore, vault: Vault) -> None:
    held, writers = HeldPut(faulty), Writers(vault)
    before = faulty.calls["commit:put"]
    ran: list[int] = []

    def work(tx: WriteTx) -> int:
        ran.append(visit(tx))
        return ran[-1]

    for number in range(MANY):
        writers.start(str(number), work)
    held.wait()
    wait_until(lambda: len(ran) + len(vault._leader._queue._waiting) == MANY)
    held.release()
    assert sorted(writers.join().values()) == list(range(1, MANY + 1))
    assert faulty.calls["commit:put"] - before == 2


def test_works_beyond_the_limit_of_a_group_wait_for_the_next(folder: DirectoryStore, tmp_path: Path) -> None:
    faulty = FaultyStore(folder)
    vault = new_desk(faulty, tmp_path / "cache", options=VaultOptions(group_works=10))
    held, writers = HeldPut(faulty), Writers(vault)
    writers.start("first", visit)
    held.wait()
    for number in range(20):
        writers.queue(str(number), visit)
    before = faulty.calls["commit:put"]
    held.release()
    assert sorted(writers.join().values()) == list(range(1, 22))
    assert faulty.calls["commit:put"] - before == 2
    vault.close()


def test_a_commit_costs_one_look_and_one_put(store: ObjectStore, tmp_path: Path) -> None:
    faulty = FaultyStore(store)
    vault = new_desk(faulty, tmp_path / "cache")
    for _ in range(2):
        faulty.calls.clear()
        vault.write(visit, ACTOR)
        assert faulty.calls == {"commit:look": 1, "commit:put": 1}
    vault.close()


def test_a_current_read_costs_one_look_and_an_unconstrained_one_none(faulty: FaultyStore, vault: Vault) -> None:
    faulty.calls.clear()
    visits(vault)
    assert faulty.calls == {"commit:look": 1}
    vault.read(lambda tx: tx.value("SELECT value FROM counters"), FIRST_UNCONSTRAINED)
    assert faulty.calls == {"commit:look": 1}


def test_a_work_without_a_change_costs_one_look_and_makes_no_commit(faulty: FaultyStore, vault: Vault) -> None:
    head = vault.head
    faulty.calls.clear()
    vault.write(lambda tx: tx.execute("UPDATE counters SET value = 1 WHERE id = 'none'"), ACTOR)
    assert faulty.calls == {"commit:look": 1}
    assert vault.head == head


def test_a_work_that_fails_makes_no_commit(faulty: FaultyStore, vault: Vault) -> None:
    vault.write(note("taken"), ACTOR)
    head = vault.head

    def fail(tx: WriteTx) -> None:
        visit(tx)
        tx.insert("requests", id="taken", note=None)

    faulty.calls.clear()
    with pytest.raises(sqlite3.IntegrityError):
        vault.write(fail, ACTOR)
    assert faulty.calls == {"commit:look": 1}
    assert vault.head == head


def test_a_work_that_writes_to_its_own_vault_fails_instead_of_waiting_for_itself(vault: Vault) -> None:
    def nested(tx: WriteTx) -> None:
        visit(tx)
        vault.write(visit, ACTOR)

    with pytest.raises(AssertionError, match="own vault"):
        vault.write(nested, ACTOR)
    assert vault.write(visit, ACTOR).value == 1
