"""A store that fails at any single call, or at several puts in a row: no acknowledged write is lost or doubled."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count, takewhile
from pathlib import Path

import pytest

from db.errors import CommitUnknown, StoreUnavailable, VaultError
from db.history.points import restore
from db.idempotency import answer_once
from db.log.retention import HOUR_MS, Retention, tend
from db.stores.base import ObjectExists, ObjectStore, OutcomeUnknown
from db.stores.directory import DirectoryStore
from db.transaction import WriteTx
from db.vault.vault import Vault
from tests.db.faulty_store import Fault, FaultyStore
from tests.engine.desk import ACTOR, START_MS, Clock, check_log, new_desk, noted, open_desk, site
from tests.engine.ledger import Ledger, visit, visits

KEEP = Retention(points_days=1, commits_hours=24, range_commits=4)
# A get or a listing has no effect that could come late or get lost: it fails or not.
READS = ("commit:look", "log:get", "list:0", "list:1", "list:9")
WRITE_FAULTS: tuple[Fault, ...] = ("error_before", "error_after", "timeout_lost", "late", "duplicate")


def act(store: FaultyStore, folder: Path, ledger: Ledger) -> None:
    """Two processes write, one tends the log a day later, one is restarted; every refusal is survived."""
    clock = Clock()
    first = open_desk(store, folder / "first", clock)
    second = open_desk(store.inner, folder / "second", clock)
    ledger.write(first, "a")
    ledger.write(second, "b")
    ledger.write(first, "c")
    for name in ("d", "e", "f"):
        ledger.write(second, name)
    ledger.write(first, "g")
    clock.ms += 25 * HOUR_MS
    for _ in range(2):
        with suppress(VaultError):
            tend(first, clock.ms, KEEP)
    ledger.write(first, "h")
    first.close()
    first = open_desk(store.inner, folder / "first", clock)
    ledger.write(first, "i")
    store.release()
    ledger.write(second, "j")
    ledger.check(noted(first))
    assert visits(first) == len(noted(first))
    first.close()
    second.close()


def prepared(store: ObjectStore, folder: Path) -> FaultyStore:
    new_desk(store, folder / "maker", Clock(START_MS - HOUR_MS)).close()
    return FaultyStore(store)


def play_with(folder: Path, op: str, nth: int, fault: Fault) -> tuple[bool, Ledger]:
    """Whether the play makes that many calls of the step, and what callers were told when the last of them failed."""
    store, ledger = DirectoryStore(folder / "store"), Ledger()
    faulty = prepared(store, folder)
    faulty.arm(fault, op, nth=nth)
    try:
        act(faulty, folder, ledger)
    except StoreUnavailable:
        # The first opening was what failed: there is nothing to go on with.
        assert op in READS
    ledger.check(check_log(store))
    return faulty.fired, ledger


@pytest.mark.parametrize("op", READS)
def test_a_failed_read_loses_and_doubles_no_write(tmp_path: Path, op: str) -> None:
    plays = takewhile(lambda play: play[0], (play_with(tmp_path / str(n), op, n, "error_before") for n in count(1)))
    assert [ledger.unknown for _, ledger in plays][:1] == [set()]


@pytest.mark.parametrize("op", ["commit:put", "snapshot:put", "range:put", "prune:delete"])
@pytest.mark.parametrize("fault", WRITE_FAULTS)
def test_a_failed_change_of_the_store_loses_and_doubles_no_write(tmp_path: Path, op: str, fault: Fault) -> None:
    plays = takewhile(lambda play: play[0], (play_with(tmp_path / str(n), op, n, fault) for n in count(1)))
    unknown = [ledger.unknown for _, ledger in plays]
    assert unknown[:1] == [set()]
    assert not any(unknown), "one answer that gets lost is found out by asking again"


@pytest.mark.parametrize("fault", WRITE_FAULTS)
def test_a_failed_put_in_a_bucket_loses_and_doubles_no_write(store: ObjectStore, tmp_path: Path, fault: Fault) -> None:
    faulty, ledger = prepared(store, tmp_path), Ledger()
    vault = open_desk(faulty, tmp_path / "cache", Clock())
    faulty.arm(fault, "commit:put")
    ledger.write(vault, "a")
    faulty.release()
    ledger.write(vault, "b")
    assert ledger.unknown == set()
    assert ledger.refused == ({"a"} if fault == "error_before" else set())
    assert visits(vault) == len(noted(vault))
    vault.close()
    ledger.check(check_log(store))


class PutScript:
    """A store whose next puts of commits end as the script says, each with or without its effect."""

    def __init__(self, inner: ObjectStore, *endings: str) -> None:
        self._inner = inner
        self._endings = list(endings)
        self.level_folder = inner.level_folder
        self.late: list[Callable[[], None]] = []
        self.compare_fails = False

    def exists(self, key: str, *, op: str) -> bool:
        return self._inner.exists(key, op=op)

    def get(self, key: str, *, op: str, start: int = 0, limit: int | None = None) -> bytes:
        if op == "commit:compare" and self.compare_fails:
            raise StoreUnavailable("refused by the test")
        return self._inner.get(key, op=op, start=start, limit=limit)

    def list(self, prefix: str, *, after: str = "", op: str):
        return self._inner.list(prefix, after=after, op=op)

    def delete(self, keys: Sequence[str], *, op: str) -> None:
        self._inner.delete(keys, op=op)

    def put(self, key: str, body: bytes | Path, *, timestamp_ms: int, op: str) -> None:
        def effect() -> None:
            self._inner.put(key, body, timestamp_ms=timestamp_ms, op=op)

        ending = self._endings.pop(0) if self._endings and op == "commit:put" else "done"
        if ending == "refused":
            raise StoreUnavailable("refused by the test")
        if ending == "late":
            self.late.append(effect)
        elif ending != "lost":
            effect()
        if ending != "done":
            raise OutcomeUnknown("no answer in the test")


def write_through(script: PutScript, tmp_path: Path) -> tuple[Ledger, Vault]:
    ledger, vault = Ledger(), open_desk(script, tmp_path / "cache", Clock())
    ledger.write(vault, "a")
    return ledger, vault


@pytest.mark.parametrize(
    ("endings", "told"),
    [
        (("refused",), "refused"),
        (("lost", "done"), "acknowledged"),
        (("done unheard", "done"), "acknowledged"),
        (("lost", "lost", "done unheard", "lost", "lost"), "acknowledged"),
        (("lost",) * 4, "unknown"),
        (("late",) * 4, "unknown"),
        (("done unheard", "refused", "refused", "refused"), "acknowledged"),
        (("late", "refused", "refused", "refused"), "unknown"),
        (("lost", "refused", "done"), "acknowledged"),
        (("late", "done"), "acknowledged"),
    ],
)
@pytest.mark.parametrize("late_when", ["before the next write", "after it"])
def test_puts_without_an_answer_are_told_as_what_they_are(
    folder: DirectoryStore, tmp_path: Path, endings: tuple[str, ...], told: str, late_when: str
) -> None:
    prepared(folder, tmp_path)
    script = PutScript(folder, *endings)
    ledger, vault = write_through(script, tmp_path)
    assert getattr(ledger, told) == {"a"}
    script._endings.clear()
    if late_when == "before the next write":
        let_late_puts_happen(script)
    ledger.write(vault, "b")
    if late_when == "after it":
        let_late_puts_happen(script)
    ledger.write(vault, "c")
    assert {"b", "c"} <= ledger.acknowledged, "the vault goes on after an unknown outcome"
    ledger.check(noted(vault))
    assert visits(vault) == len(noted(vault))
    vault.close()
    ledger.check(check_log(folder))


def let_late_puts_happen(script: PutScript) -> None:
    for effect in script.late:
        with suppress(ObjectExists):
            effect()
    script.late.clear()


def test_a_commit_that_is_there_and_cannot_be_read_is_unknown(folder: DirectoryStore, tmp_path: Path) -> None:
    prepared(folder, tmp_path)
    script = PutScript(folder, "done unheard")
    script.compare_fails = True
    ledger, vault = write_through(script, tmp_path)
    assert ledger.unknown == {"a"}
    script.compare_fails = False
    assert noted(vault) == ["a"], "the next look finds the commit that was made"
    vault.close()


def test_an_unknown_outcome_shows_nothing_to_readers_until_the_log_does(folder: DirectoryStore, tmp_path: Path) -> None:
    prepared(folder, tmp_path)
    script = PutScript(folder, "late", "lost", "lost", "lost")
    ledger, vault = write_through(script, tmp_path)
    assert ledger.unknown == {"a"}
    assert noted(vault) == []
    let_late_puts_happen(script)
    assert noted(vault) == ["a"]
    vault.close()


@pytest.mark.parametrize("happened", [True, False])
def test_repeating_an_unknown_write_with_its_key_has_one_effect(
    folder: DirectoryStore, tmp_path: Path, happened: bool
) -> None:
    prepared(folder, tmp_path)
    script = PutScript(folder, "done unheard" if happened else "lost", *["refused"] * 3)
    script.compare_fails = True
    clock = Clock()
    vault = open_desk(script, tmp_path / "cache", clock)

    def work(tx: WriteTx) -> bool:
        def answer() -> dict[str, int]:
            visit("a")(tx)
            return {"done": 1}

        return answer_once(tx, "person-1", "key-1", "0" * 64, clock(), answer)[1]

    with pytest.raises(CommitUnknown):
        vault.write(work, ACTOR)
    assert vault.write(work, ACTOR).value is happened
    assert visits(vault) == 1
    vault.close()
    assert check_log(folder) == ["a"]


def test_a_restore_that_is_durable_is_not_reported_as_failed(folder: DirectoryStore, tmp_path: Path) -> None:
    faulty = prepared(folder, tmp_path)
    vault = open_desk(faulty, tmp_path / "cache", Clock())
    before = vault.bookmark
    vault.write(visit("a"), ACTOR)
    failing: list[str] = []

    def fail_after_the_put(op: str) -> None:
        if op == "commit:put":
            failing.append(op)
        elif failing:
            raise StoreUnavailable("refused by the test")

    faulty.before_call = fail_after_the_put
    restore(vault, site(faulty, tmp_path / "cache", Clock()), before, ACTOR)
    failing.clear()
    faulty.before_call = lambda op: None
    assert noted(vault) == []
    vault.close()
