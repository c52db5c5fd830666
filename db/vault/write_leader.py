"""Leading the works that wait for a commit: one of their callers commits for all who have come.

Knows the queue, the guard and the audit log of the writer; not the store or the readers.
"""

import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from db.audit.trail import AuditTrail
from db.errors import VaultError
from db.forgetting.declared import Subject
from db.log.bookmark import bookmark_of
from db.log.follower import LogFollower
from db.vault.commit_group import Pending, TransactionLost, run_group
from db.vault.committer import Committer
from db.vault.guard import Guard
from db.vault.local_copy import LocalCopy
from db.vault.options import VaultOptions
from db.vault.write_queue import WriteQueue

AuditKey = Callable[[sqlite3.Connection], bytes | None]


class SchemaWentBack(VaultError):
    """The vault lacks steps that it had: the transaction must not run on it. Never leaves `Vault.write`."""

    code = "schema_went_back"


class SchemaWatch(Protocol):
    """Knows which schema this process was made for."""

    def behind(self, connection: sqlite3.Connection) -> bool:
        """Whether the database lacks a step that this process knows. The connection is inside a transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Audited:
    """What the audit log shows. key, redacted, unaudited, forgettable: as `Vault` takes them."""

    key: AuditKey
    redacted: frozenset[str]
    unaudited: frozenset[str]
    forgettable: Mapping[str, Subject]


class WriteLeader:
    """The works that wait for one vault, and their commits.

    lock: one thread writes. schema: asked once for each new writer connection.
    """

    def __init__(
        self, committer: Committer, copy: LocalCopy, follower: LogFollower, options: VaultOptions, audited: Audited
    ) -> None:
        self.lock = threading.RLock()
        self._committer = committer
        self._copy = copy
        self._follower = follower
        self._options = options
        self.schema: SchemaWatch | None = None
        self._audited = audited
        self._queue = WriteQueue()
        self._writing: tuple[sqlite3.Connection, Guard, AuditTrail | None] | None = None

    def run(self, pending: Pending) -> None:
        """Return when the work is done, by another caller or, with those who wait meanwhile, by this one."""
        if self._queue.join(pending):
            try:
                with self.lock:
                    self._lead(pending)
            finally:
                self._queue.hand_over()

    def _lead(self, first: Pending) -> None:
        """Commit the works that wait, the first of them, which is the caller's own, at least."""
        group: list[Pending] = []
        try:
            self._commit(group, first)
        except BaseException as exc:
            group = group or self._queue.take(self._options.group_works)
            waiting = [pending for pending in group if not pending.done]
            if not isinstance(exc, Exception):
                # An interrupt hits the thread that leads; the works of the others go on with the next leader.
                self._queue.put_back([pending for pending in waiting if pending is not group[0]])
                raise
            for pending in waiting:
                pending.fail(exc)
        self._committer.raise_interrupt()

    def _commit(self, group: list[Pending], first: Pending | None = None) -> None:
        """Commit the group. first: of those who wait; who has come until the look is done joins, at each attempt."""
        gathering = first is not None

        def run(writer: sqlite3.Connection) -> bool:
            if gathering:
                group.extend(self._queue.take(self._options.group_works - len(group)))
            return run_group(writer, *self._watch(writer), group)

        self._committer.begin(seen_end=first is not None and self._follower.looked_since(first.since))
        for _ in range(self._committer.attempts):
            try:
                passed = self._committer.attempt(run, group)
            except TransactionLost as exc:
                if len(group) == 1:
                    group[0].fail(group[0].error or exc)
                    return
                passed = False
            if passed is None:
                continue
            if not passed:
                for pending in group:
                    self._commit([pending])
                return
            if not all(self._follower.looked_since(pending.since) for pending in group):
                # Nothing was changed, so no put proved the base current, and somebody came when the look had begun.
                gathering = False
                continue
            bookmark = self._bookmark()
            if self._copy.wal_end() > self._options.wal_bytes or self._keys_changed():
                self._committer.fold()
            for pending in group:
                pending.finish(bookmark)
            return
        raise self._committer.contended()

    def _watch(self, writer: sqlite3.Connection) -> tuple[Guard, AuditTrail | None]:
        """The guard and audit trail of this writer connection, made once for each."""
        if self._writing is None or self._writing[0] is not writer:
            # Whatever replaces the content makes a new writer, so the schema can have gone back only here.
            if self.schema is not None and self.schema.behind(writer):
                raise SchemaWentBack("the schema was taken back by another process")
            audited, trail = self._audited, None
            key = audited.key(writer)
            if key is not None:
                trail = AuditTrail(writer, key, audited.redacted, audited.unaudited, audited.forgettable)
            guard = Guard(writer, trail)
            self._writing = (writer, guard, trail)
        return self._writing[1:]

    def _keys_changed(self) -> bool:
        """Whether open connections hold a personal-data key that is no longer the vault's."""
        trail = None if self._writing is None else self._writing[2]
        return trail is not None and trail.keys_changed

    def _bookmark(self) -> str:
        head = self._copy.head
        return str(bookmark_of(self._copy.vault_id, head.txid, head.node_id))
