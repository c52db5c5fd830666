"""What a vault must show, in plain Python: its rows after each commit, and which points in time are still promised.

Knows no pages, logs or stores; of the engine only how a work and a bookmark look.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from db.clock import timestamp
from db.history.points import Point
from db.log.bookmark import parse_bookmark
from db.log.retention import DAY_MS, HOUR_MS, Retention
from db.transaction import ReadTx, WriteTx

# exact: this very commit. near: it, or one before it. maybe: nothing is promised. never: there was nothing yet.
Promise = Literal["exact", "near", "maybe", "never"]


@dataclass(frozen=True)
class State:
    """The rows of a desk. visits: None while there is no counter."""

    notes: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    visits: int | None = None


def seen(tx: ReadTx) -> State:
    """The state as a vault shows it."""
    notes = {row["id"]: row["note"] for row in tx.rows("SELECT id, note FROM requests")}
    return State(notes, tx.value("SELECT value FROM counters WHERE id = 'visits'"))


# A long text that does not compress makes snapshots due and folds the write-ahead file.
TEXTS = {"none": None, "short": "a note", "long": "".join(f"{number * number:x}" for number in range(1000, 3000))}


@dataclass(frozen=True)
class Change:
    """One write, as a work and as what it does to the state. text: a name out of TEXTS."""

    kind: Literal["insert", "update", "delete"]
    id: str
    text: Literal["none", "short", "long"] = "none"

    @property
    def note(self) -> str | None:
        return TEXTS[self.text]

    def work(self, tx: WriteTx) -> None:
        if self.kind == "insert":
            tx.execute("UPDATE counters SET value = value + 1 WHERE id = 'visits'")
            tx.insert("requests", id=self.id, note=self.note)
        elif self.kind == "update":
            tx.execute("UPDATE requests SET note = :note WHERE id = :id", id=self.id, note=self.note)
        else:
            tx.execute("DELETE FROM requests WHERE id = :id", id=self.id)

    def after(self, state: State) -> State | None:
        """The state then; the same one when there is nothing to commit, None when the database refuses."""
        if self.kind == "insert":
            if self.id in state.notes:
                return None
            visits = None if state.visits is None else state.visits + 1
            return State({**state.notes, self.id: self.note}, visits)
        if self.id not in state.notes or (self.kind == "update" and state.notes[self.id] == self.note):
            return state
        if self.kind == "update":
            return replace(state, notes={**state.notes, self.id: self.note})
        return replace(state, notes={name: note for name, note in state.notes.items() if name != self.id})


@dataclass(frozen=True)
class Commit:
    """What is known of one commit."""

    txid: int
    time_ms: int
    bookmark: str
    state: State


@dataclass(frozen=True)
class Wish:
    """A point to go back to, as its text, and what is promised about it."""

    text: str
    exact: Commit | None
    promise: Promise

    def check(self, point: Point | None, history: "History") -> Commit | None:
        """The commit that was found, which must be one that may be; None for none."""
        if point is None:
            assert self.promise in ("maybe", "never")
            return None
        assert self.exact is not None, "there was nothing yet"
        found = history.commits[point.txid - 1]
        assert (found.bookmark, timestamp(found.time_ms)) == (point.bookmark, point.timestamp)
        if self.promise == "exact" or self.text == self.exact.bookmark:
            assert found == self.exact
        assert found.txid <= self.exact.txid
        return found


class History:
    """Every commit of one vault, and what pruning may have taken of them."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self._each_from_ms = 0
        self._points_from_ms = 0

    @property
    def head(self) -> Commit:
        return self.commits[-1]

    def add(self, bookmark: str, state: State, clock_ms: int) -> None:
        """A commit that was acknowledged with this bookmark by a writer whose clock shows this."""
        time_ms = max([clock_ms, *(commit.time_ms for commit in self.commits[-1:])])
        assert parse_bookmark(bookmark).txid == len(self.commits) + 1
        self.commits.append(Commit(len(self.commits) + 1, time_ms, bookmark, state))

    def at_bookmark(self, bookmark: str) -> Commit:
        """The commit that a vault named."""
        commit = self.commits[parse_bookmark(bookmark).txid - 1]
        assert commit.bookmark == bookmark
        return commit

    def tended(self, now_ms: int, keep: Retention) -> None:
        """From now on fewer points are promised."""
        self._each_from_ms = max(self._each_from_ms, now_ms - keep.commits_hours * HOUR_MS + 1)
        self._points_from_ms = max(self._points_from_ms, now_ms - keep.points_days * DAY_MS)

    def thinned(self) -> list[Commit]:
        """The commits that are no longer promised one by one."""
        return [commit for commit in self.commits[:-1] if commit.time_ms < self._each_from_ms]

    def wish_for_commit(self, commit: Commit) -> Wish:
        kept = commit.time_ms >= self._each_from_ms or commit == self.head
        return Wish(commit.bookmark, commit, "exact" if kept else "maybe")

    def wish_for_time(self, time_ms: int) -> Wish:
        earlier = [commit for commit in self.commits if commit.time_ms <= time_ms]
        if not earlier:
            return Wish(timestamp(time_ms), None, "never")
        if earlier[-1].time_ms >= self._each_from_ms:
            return Wish(timestamp(time_ms), earlier[-1], "exact")
        return Wish(timestamp(time_ms), earlier[-1], "near" if time_ms >= self._points_from_ms else "maybe")
