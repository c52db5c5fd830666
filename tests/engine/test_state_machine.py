"""Any order of writes, failures, races, restores, forks, pruning and restarts shows what a plain model says.

Two processes with caches and clocks of their own share one vault; the model is in `vault_model`.
"""

import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from db.clock import Moment
from db.errors import CommitUnknown, NotFound, StoreUnavailable
from db.history.points import fork, restore
from db.log.bookmark import parse_bookmark
from db.log.commit_log import CommitLog
from db.log.retention import HOUR_MS, Retention, tend
from db.stores.base import OutcomeUnknown
from db.stores.directory import DirectoryStore
from db.transaction import WriteTx
from db.vault.opening import create_vault
from db.vault.vault import FIRST_PRIMARY, FIRST_UNCONSTRAINED, Freshness
from tests.engine.desk import ACTOR, KIND, Clock, check_log, site
from tests.engine.process import ALWAYS, Fails, Process, nothing
from tests.engine.vault_model import Change, Commit, History, State, Wish, seen

KEEP = Retention(points_days=3, commits_hours=24, range_commits=3)
SKEW_MS = 5 * 60 * 1000
MOST_FORKS = 2
STEPS_MS = (1, 2000, 7 * HOUR_MS, 25 * HOUR_MS, 100 * HOUR_MS)

# What must come up over all runs, or the test proves less than it says.
HAPPENS = {
    "both made their commit",
    "commit unknown",
    "forked",
    "level 0 shrank",
    "level 1 grew",
    "level 1 shrank",
    "level 9 grew",
    "read an older commit",
    "restore found nothing, maybe",
    "restore found nothing, never",
    "restored exactly",
    "restored to the end of a range",
    "went on with a copied cache",
    "write refused by the database",
    "write refused by the store",
}
TENDING = ("snapshot:put", "range:put", "prune:delete", "log:get", "list:9")

PROCESSES = st.sampled_from(("left", "right"))
BACK = st.integers(0, 25)
CHANGES = st.builds(
    Change,
    st.sampled_from(("insert", "insert", "insert", "update", "delete")),
    st.sampled_from("abcdefghijkl"),
    st.sampled_from(("none", "short", "long")),
)
SOME_CHANGES = st.lists(CHANGES, min_size=1, max_size=5)


class Machine(RuleBasedStateMachine):
    """One vault, two processes, and the model. fired: what happened, over all runs."""

    fired: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="vaultry-machine-"))
        self.store = DirectoryStore(self.folder / "store")
        self.clock = Clock()
        late = partial(lambda clock: Moment(clock.ms - SKEW_MS), self.clock)
        self.left = Process(self.store, self.folder / "left", self.clock)
        self.right = Process(self.store, self.folder / "right", late)
        self.history = History()
        self.forks = 0

    @initialize()
    def create(self) -> None:
        vault = create_vault(site(self.store, self.folder / "maker", self.clock), "desk", KIND)
        self.history.add(vault.bookmark, State(), self.clock.ms)
        answer = vault.write(lambda tx: tx.insert("counters", id="visits", value=0), ACTOR)
        self.history.add(answer.bookmark, State({}, 0), self.clock.ms)
        vault.close()

    @rule(name=PROCESSES, changes=SOME_CHANGES, later_ms=st.sampled_from(STEPS_MS))
    def write(self, name: str, changes: list[Change], later_ms: int) -> None:
        self.clock.ms += later_ms
        for change in changes:
            self.clock.ms += 1000
            self._write(self._process(name), change)

    @rule(name=PROCESSES, change=CHANGES)
    def write_and_think_better_of_it(self, name: str, change: Change) -> None:
        def work(tx: WriteTx) -> None:
            with suppress(sqlite3.IntegrityError):
                change.work(tx)
            raise LookupError

        with pytest.raises(LookupError):
            self._process(name).vault.write(work, ACTOR)

    @rule(name=PROCESSES, change=CHANGES, overtaking=CHANGES)
    def lose_a_race(self, name: str, change: Change, overtaking: Change) -> None:
        process, rival = self._process(name), self._rival(name)
        before = self.history.head
        _ = rival.vault

        def overtake(op: str) -> None:
            if op == "commit:put":
                process.store.before_call = nothing
                self._write(rival, overtaking)

        with process.calling(before=overtake):
            self._write(process, change)
        if self.history.head.txid == before.txid + 2:
            self._note("both made their commit")

    @rule(name=PROCESSES, change=CHANGES, once=st.booleans(), happens=st.booleans())
    def write_without_an_answer(self, name: str, change: Change, once: bool, happens: bool) -> None:
        process = self._process(name)
        fails = Fails(OutcomeUnknown, "commit:put", 1 if once else ALWAYS)
        with process.calling(after=fails) if happens else process.calling(before=fails):
            if once or happens or change.after(self.history.head.state) in (None, self.history.head.state):
                self._write(process, change)
                return
            with pytest.raises(CommitUnknown):
                process.vault.write(change.work, ACTOR)
            self._note("commit unknown")

    @rule(name=PROCESSES, change=CHANGES, step=st.sampled_from(("", "commit:put")))
    def write_into_a_refusing_store(self, name: str, change: Change, step: str) -> None:
        process = self._process(name)
        with process.calling(before=Fails(StoreUnavailable, step)):
            if step and change.after(self.history.head.state) in (None, self.history.head.state):
                self._write(process, change)
                return
            with pytest.raises(StoreUnavailable):
                process.vault.write(change.work, ACTOR)
        self._note("write refused by the store")

    @rule(name=PROCESSES)
    def read(self, name: str) -> None:
        assert self._read(self._process(name), FIRST_PRIMARY) == self.history.head

    @rule(name=PROCESSES, change=CHANGES)
    def read_what_is_there(self, name: str, change: Change) -> None:
        process = self._process(name)
        self._write(self._rival(name), change)
        with process.calling(before=Fails(StoreUnavailable, "")):
            if self._read(process, FIRST_UNCONSTRAINED) != self.history.head:
                self._note("read an older commit")

    @rule(name=PROCESSES, back=BACK)
    def read_from_a_bookmark_on(self, name: str, back: int) -> None:
        wanted = self._commit(back)
        found = self._read(self._process(name), Freshness(bookmark=parse_bookmark(wanted.bookmark)))
        assert found.txid >= wanted.txid

    @rule(name=PROCESSES, back=BACK)
    def restore_to_a_bookmark(self, name: str, back: int) -> None:
        self._restore(self._process(name), self.history.wish_for_commit(self._commit(back)))

    @rule(name=PROCESSES, back=BACK, later_ms=st.sampled_from((-1, 0, 1, HOUR_MS)))
    def restore_to_a_time(self, name: str, back: int, later_ms: int) -> None:
        self._restore(self._process(name), self.history.wish_for_time(self._commit(back).time_ms + later_ms))

    @precondition(lambda self: self.history.thinned())
    @rule(name=PROCESSES, back=BACK)
    def restore_to_a_time_long_ago(self, name: str, back: int) -> None:
        old = self.history.thinned()
        self._restore(self._process(name), self.history.wish_for_time(old[-1 - back % len(old)].time_ms))

    @precondition(lambda self: self.forks < MOST_FORKS)
    @rule(name=PROCESSES, back=st.none() | BACK)
    def fork(self, name: str, back: int | None) -> None:
        process, wish = self._process(name), self.history.wish_for_commit(self._commit(back or 0))
        at = None if back is None else wish.text
        self.forks += 1
        try:
            forked, point = fork(process.vault, process.site, KIND, f"fork-{self.forks}", at)
        except NotFound:
            wish.check(None, self.history)
            return
        found = wish.check(point, self.history)
        assert found is not None
        assert forked.read(seen).value == found.state
        change = Change("insert", "only in the fork")
        forked.write(change.work, ACTOR)
        assert forked.read(seen).value == change.after(found.state)
        forked.close()
        check_log(self.store, f"fork-{self.forks}")
        self._note("forked")

    @rule(
        name=PROCESSES,
        changes=SOME_CHANGES,
        later_ms=st.sampled_from((1, *STEPS_MS[-2:])),
        step=st.sampled_from((None,) * 6 + TENDING),
    )
    def tend(self, name: str, changes: list[Change], later_ms: int, step: str | None) -> None:
        self.write(name, changes, later_ms=0)
        self.clock.ms += later_ms
        levels = self._levels()
        with self._process(name).calling(before=Fails(StoreUnavailable, step or "no step")) as vault:
            try:
                tend(vault, self.clock.ms, KEEP)
            except StoreUnavailable:
                self._note(f"tending stopped at {step}")
        self.history.tended(self.clock.ms, KEEP)
        for level, count in self._levels().items():
            if count != levels[level]:
                self._note(f"level {level} {'grew' if count > levels[level] else 'shrank'}")

    @rule(name=PROCESSES, then=st.sampled_from(("keep the cache", "delete the cache", "copy the cache before")))
    def close(self, name: str, then: str) -> None:
        process = self._process(name)
        if then == "copy the cache before":
            process.copy_cache()
        process.close()
        if then == "delete the cache":
            shutil.rmtree(process.cache, ignore_errors=True)

    @precondition(lambda self: self.left.copied.exists() or self.right.copied.exists())
    @rule()
    def go_on_with_a_copied_cache(self) -> None:
        process = self.left if self.left.copied.exists() else self.right
        process.go_on_with_copy()
        self._note("went on with a copied cache")
        assert self._read(process, FIRST_PRIMARY) == self.history.head

    def teardown(self) -> None:
        fresh = Process(self.store, self.folder / "fresh", self.clock)
        try:
            for process in (self.left, self.right, fresh):
                assert self._read(process, FIRST_PRIMARY) == self.history.head
            assert check_log(self.store) == sorted(self.history.head.state.notes)
            assert not list(self.folder.rglob("kept")), "the engine took its own leftovers for an edit by hand"
        finally:
            for process in (self.left, self.right, fresh):
                process.close()
            shutil.rmtree(self.folder)

    def _process(self, name: str) -> Process:
        return self.left if name == "left" else self.right

    def _rival(self, name: str) -> Process:
        return self.right if name == "left" else self.left

    def _commit(self, back: int) -> Commit:
        return self.history.commits[max(0, len(self.history.commits) - 1 - back)]

    def _write(self, process: Process, change: Change) -> None:
        """Write, and see that what became of it is what becomes of it after the model's head, whoever made that."""
        try:
            answer = process.vault.write(change.work, ACTOR)
        except sqlite3.IntegrityError:
            assert change.after(self.history.head.state) is None
            self._note("write refused by the database")
            return
        state = change.after(self.history.head.state)
        assert state is not None
        if state is not self.history.head.state:
            self.history.add(answer.bookmark, state, process.clock().ms)
        assert answer.bookmark == self.history.head.bookmark
        process.seen_txid = self.history.head.txid

    def _read(self, process: Process, at: Freshness) -> Commit:
        """The commit that a read stood at; its state must be what was read, and reads never go back."""
        answer = process.vault.read(seen, at)
        commit = self.history.at_bookmark(answer.bookmark)
        assert answer.value == commit.state
        assert commit.txid >= process.seen_txid
        process.seen_txid = commit.txid
        return commit

    def _restore(self, process: Process, wish: Wish) -> None:
        vault = process.vault
        try:
            point = restore(vault, process.site, wish.text, ACTOR)
        except NotFound:
            wish.check(None, self.history)
            self._note(f"restore found nothing, {wish.promise}")
            return
        found = wish.check(point, self.history)
        assert found is not None
        self.history.add(vault.bookmark, found.state, process.clock().ms)
        self._note("restored exactly" if found == wish.exact else "restored to the end of a range")

    def _levels(self) -> Counter[int]:
        return Counter(found.level for found in CommitLog(self.store, "desk").list_all())

    def _note(self, what: str) -> None:
        self.fired[what] += 1


def test_a_vault_in_two_processes_shows_what_the_model_says() -> None:
    Machine.fired = Counter()
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=45,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            # A failing run is short enough to read as it is; making it shorter takes minutes.
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    assert set(Machine.fired) >= HAPPENS, "the runs no longer reach all that they are for"
