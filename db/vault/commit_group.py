"""Works that share one commit: run one after another as savepoints of one SQLite transaction.

Knows transactions, the audit log and failing works; not the log, the store or threads.
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from db.audit.trail import AuditTrail
from db.clock import Moment
from db.errors import VaultError
from db.transaction import Actor, WriteTx
from db.vault.guard import BEGIN, COMMIT, RELEASE, ROLLBACK, ROLLBACK_WORK, SAVEPOINT, Guard


class TransactionLost(VaultError):
    """A statement of a work ended the whole transaction, as OR ROLLBACK does: what the group did must be undone."""

    code = "transaction_lost"


@dataclass(slots=True, eq=False)
class Pending:
    """A work waiting for its commit, and what became of it. `done` is set last.

    since: the `instant` after which the state it meets must have been the newest.
    """

    work: Callable[[WriteTx], Any]
    actor: Actor
    now: Moment
    since: int = 0
    value: Any = None
    error: BaseException | None = None
    done: bool = False
    bookmark: str = ""
    # Its caller was told to lead; an interrupt may hit it before it does.
    leads: bool = False
    # Held while its caller waits for it to be done, or to be the next leader.
    wake: "threading.Lock | None" = None

    def finish(self, bookmark: str) -> None:
        """The outcome stands."""
        self.bookmark = bookmark
        self._settle()

    def fail(self, error: BaseException) -> None:
        """The work, or its commit, failed."""
        self.error = error
        self._settle()

    def _settle(self) -> None:
        self.done = True
        if self.wake is not None:
            self.wake.release()


def run_group(writer: sqlite3.Connection, guard: Guard, trail: AuditTrail | None, works: Sequence[Pending]) -> bool:
    """Run the works and COMMIT; False when SQLite refused to commit a group that may pass one by one.

    A failing work is rolled back alone and keeps its error. Raises what is nobody's error (an interrupt) after
    rolling everything back, TransactionLost when only the caller can do that.
    """
    guard.open = True
    writer.execute(BEGIN)
    try:
        for pending in works:
            _run_one(writer, guard, trail, pending, alone=len(works) == 1)
            _require_transaction(writer)
        # Works that were rolled back leave pages that SQLite would write again as they were.
        writer.execute(ROLLBACK if all(pending.error is not None for pending in works) else COMMIT)
    except BaseException as exc:
        if writer.in_transaction:
            writer.execute(ROLLBACK)
        if trail is not None:
            trail.forget_undone()
        if not isinstance(exc, sqlite3.Error):
            raise
        # A deferred constraint speaks up at COMMIT only, when it is too late to tell whose it is.
        if len(works) > 1:
            return False
        works[0].error = exc
    if trail is not None:
        trail.settle()
    return True


def _run_one(
    writer: sqlite3.Connection, guard: Guard, trail: AuditTrail | None, pending: Pending, *, alone: bool
) -> None:
    """Run one work. alone: nobody shares the transaction; the caller rolls all of it back if the work fails."""
    pending.value, pending.error = None, None
    fresh = 0 if trail is None else trail.fresh
    if not alone:
        writer.execute(SAVEPOINT)
    try:
        guard.open = False
        try:
            tx = WriteTx(writer, None if trail is None else _watching(guard, trail), guard)
            pending.value = pending.work(tx)
        finally:
            guard.open = True
        _require_transaction(writer)
        if trail is not None:
            actor = replace(pending.actor, id=tx.acting_as) if tx.acting_as else pending.actor
            trail.flush(actor, pending.now.text)
            for subject, values in tx.notes:
                trail.note(actor, pending.now.text, subject, values)
        if not alone:
            writer.execute(RELEASE)
    except Exception as exc:
        # Whatever a work raises is its caller's to see.
        pending.error = exc
        if writer.in_transaction:
            if not alone:
                writer.execute(ROLLBACK_WORK)
                writer.execute(RELEASE)
            if trail is not None:
                trail.forget_undone(fresh)


def _require_transaction(writer: sqlite3.Connection) -> None:
    """Raise TransactionLost outside one: the works before are undone as well, and what ran since committed at once."""
    if not writer.in_transaction:
        raise TransactionLost("a statement ended the transaction; write OR ABORT instead of OR ROLLBACK")


def _watching(guard: Guard, trail: AuditTrail) -> Callable[[], bool]:
    """What a refused statement calls before it is tried again."""

    def watch() -> bool:
        guard.open = True
        try:
            return trail.watch()
        finally:
            guard.open = False

    return watch


def run_alone(writer: sqlite3.Connection, work: Callable[[sqlite3.Connection], bool], *, foreign_keys: bool) -> bool:
    """Run one work of the engine itself in a transaction of its own, without guard or audit log; what it returned."""
    if not foreign_keys:
        # A PRAGMA that SQLite ignores inside a transaction.
        writer.execute("PRAGMA foreign_keys = OFF")
    writer.execute(BEGIN)
    try:
        did = work(writer)
        writer.execute(COMMIT)
    except BaseException:
        if writer.in_transaction:
            writer.execute(ROLLBACK)
        raise
    return did
