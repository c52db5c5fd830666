"""One tenant's vault: reads at a durable commit, writes that are durable when they return.

Joins the log and the local copy. Knows no charter, principal or HTTP. Safe for many threads: writers queue and share
commits; readers stand at a durable commit and wait for a writer only to see its commit.
"""

import secrets
import sqlite3
import threading
from collections.abc import Callable, Sized
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar, cast

from db import wal
from db.audit import AuditTrail
from db.bookmark import Bookmark, bookmark_of, is_of_vault
from db.bounded import bounded
from db.clock import Moment, system_moment
from db.commit_group import Pending, TransactionLost, run_alone, run_group
from db.connections import Reader
from db.database_file import database_pages, encode_difference
from db.errors import CommitUnknown, Contended, Forbidden, Invalid, VaultError
from db.events import OutcomeLost, RaceLost, emit
from db.freshness import FIRST_PRIMARY, FIRST_UNCONSTRAINED, NEVER, Freshness, instant
from db.guard import Guard
from db.head import Head
from db.local_copy import EditedByHand, LocalCopy, Standing
from db.log import CommitLog
from db.log_follower import LogFollower
from db.ltx import TXID, LtxHeader, encode
from db.stores.base import OutcomeUnknown
from db.transaction import Actor, ReadTx, WriteTx
from db.vault_options import VaultOptions
from db.write_queue import WriteQueue

T = TypeVar("T")
Run = Callable[[sqlite3.Connection], bool]
AuditKey = Callable[[sqlite3.Connection], bytes | None]


class SchemaWentBack(VaultError):
    """The vault lacks steps that it had: the transaction must not run on it. Never leaves `write`."""

    code = "schema_went_back"


class SchemaKeeper(Protocol):
    """Knows which schema this process was made for. Connections are inside a transaction, or have none to disturb."""

    def settle(self, vault: "Vault") -> VaultError | None:
        """Apply what is due and may be applied; why the vault takes no writes, or None."""
        ...

    def behind(self, connection: sqlite3.Connection) -> bool:
        """Whether the database lacks a step that this process knows."""
        ...

    def changed(self, connection: sqlite3.Connection) -> bool:
        """Whether the steps it had, or the hold on them, differ from when `settle` looked last."""
        ...


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a read or write returned, and the bookmark of the commit it belongs to."""

    value: T
    bookmark: str


class Vault:
    """An open vault. `open_vault` makes one; `close` lets go of its files.

    audit_key: the key of the audit chain, from the vault's own settings; None: no audit log.
    redacted: `table.column` names whose values stay out of the audit log. unaudited: bookkeeping that leaves no row in
    it, tables and `table.column` names.
    refusal: set while the vault takes no writes; every write raises it. looked: the `instant` before the look that
    showed the copy to stand where the log ends.
    """

    def __init__(
        self,
        log: CommitLog,
        copy: LocalCopy,
        audit_key: AuditKey,
        redacted: frozenset[str] = frozenset(),
        options: VaultOptions | None = None,
        clock: Callable[[], Moment] = system_moment,
        looked: int = NEVER,
        unaudited: frozenset[str] = frozenset(),
    ) -> None:
        self.log = log
        self.options = options or VaultOptions()
        self.refusal: VaultError | None = None
        self._copy = copy
        self._audit_key = audit_key
        self._redacted = redacted
        self._unaudited = unaudited
        self._clock = clock
        self._follower = LogFollower(log, copy, clock, self.options.base_age_ms, looked)
        self._queue = WriteQueue()
        self._writer_lock = threading.RLock()
        # Held while the write-ahead file is ahead of the head: a reader that moved then would see an unmade commit.
        self._ahead_lock = threading.RLock()
        self._writing: tuple[sqlite3.Connection, Guard, AuditTrail | None] | None = None
        self._interrupt: BaseException | None = None
        # The log was seen to end at the head while a lost race was made up for: the next attempt need not look.
        self._seen_end = False
        # Says whether the schema is the one this process was made for; `open_vault` sets it.
        self.schema_keeper: SchemaKeeper | None = None

    @property
    def id(self) -> str:
        """The vault's id."""
        return self.log.vault_id

    @property
    def head(self) -> Head:
        """The durable commit this process knows."""
        return self._copy.head

    @property
    def bookmark(self) -> str:
        """The bookmark of the head."""
        return self._bookmark(self._copy.head)

    @property
    def epoch(self) -> int:
        """Rises whenever the content may have been replaced: facts read before may no longer hold."""
        return self._copy.epoch

    @property
    def local_bytes(self) -> int:
        """Bytes of the local copy's main file when it was last folded."""
        return self._copy.file_bytes

    def read(self, work: Callable[[ReadTx], T], at: Freshness = FIRST_PRIMARY) -> Answer[T]:
        """What `work` returns from a snapshot at least as new as asked for.

        Raises what the work raises, Invalid for a bookmark that this vault never had, StoreUnavailable.
        """
        return self._read(lambda reader: work(ReadTx(reader.connection)), at)

    def read_raw(self, work: Callable[[sqlite3.Connection, Head], T], at: Freshness = FIRST_PRIMARY) -> Answer[T]:
        """As `read`, without a guard: for work of the engine itself, which also gets the commit it reads at."""

        def unguarded(reader: Reader) -> T:
            reader.guard.open = True
            try:
                return work(reader.connection, reader.head)
            finally:
                reader.guard.open = False

        return self._read(unguarded, at)

    def inspect(self, work: Callable[[ReadTx], T], is_over: Callable[[], bool]) -> Answer[T]:
        """As a current `read`, for SQL that was written for many vaults: it opens no personal value, and ends in time.

        Raises Forbidden (sealed) for a statement that would open one, OutOfTime once `is_over` says so.
        """

        def limited(reader: Reader) -> T:
            reader.guard.sealed, reader.guard.unsealing = True, False
            try:
                with bounded(reader.connection, is_over):
                    return work(ReadTx(reader.connection))
            except VaultError as exc:
                if not reader.guard.unsealing:
                    raise
                raise Forbidden("personal values stay sealed here: personal_open is refused", code="sealed") from exc
            finally:
                reader.guard.sealed = False

        return self._read(limited, FIRST_PRIMARY)

    def _read(self, work: Callable[[Reader], T], at: Freshness) -> Answer[T]:
        wanted = self._reach(at)
        while True:
            with self._copy.connections.reading() as reader:
                if reader.head.txid >= wanted:
                    return Answer(work(reader), self._bookmark(reader.head))
            with self._ahead_lock:
                self._copy.advance_idle_readers()

    def write(
        self, work: Callable[[WriteTx], T], actor: Actor, now: Moment | None = None, since: int | None = None
    ) -> Answer[T]:
        """What `work` returned in a transaction that is durable now.

        The work may run several times. since: the `instant` at which the request began, if that was earlier than this
        call. Raises what the work raises (rolled back), `refusal` when the vault takes no writes, Contended and
        StoreUnavailable (nothing changed), CommitUnknown.
        """
        while True:
            if self.refusal is not None:
                self._reconsider()
            if self.refusal is not None:
                raise self.refusal
            pending = Pending(work, actor, now or self._clock(), instant() if since is None else since)
            if self._queue.join(pending):
                try:
                    with self._writer_lock:
                        self._lead(pending)
                finally:
                    self._queue.hand_over()
            if pending.error is None:
                return Answer(cast("T", pending.value), pending.bookmark)
            if not isinstance(pending.error, SchemaWentBack):
                raise pending.error
            self._settle_schema(known=None)

    def alter(self, work: Callable[[sqlite3.Connection], bool], *, foreign_keys: bool = True) -> bool:
        """Commit a change of the schema: `work` gets the writer inside a transaction and says whether it did anything.

        foreign_keys: False switches them off meanwhile, for rebuilding a table; `work` must then check them itself.
        Not audited by row; the connections are made anew before and after, so that nothing is left on them.
        """
        with self._writer_lock:
            self._seen_end = False
            for _ in range(self.options.commit_attempts):
                self._fold()
                try:
                    did = self._attempt(lambda writer: run_alone(writer, work, foreign_keys=foreign_keys), (work,))
                    if did is not None:
                        return did
                finally:
                    self._fold()
                    self._raise_interrupt()
        raise self._contended()

    def replace(self, make: Callable[[Path], object], build: Callable[[sqlite3.Connection, Path], object]) -> str:
        """Commit another content for the whole vault, as one ordinary commit: the history stays; the bookmark.

        make: writes the new database file, while others write. build: completes it, given the writer at the head, while
        they wait. Both are called again after a lost race.
        """
        with self.scratch() as folder:
            new, body = folder / "new.sqlite", folder / "new.ltx"
            for _ in range(self.options.commit_attempts):
                make(new)
                with self._writer_lock, self._ahead_lock:
                    self._follower.be_at_head()
                    self._fold()
                    build(self._writer(), new)
                    header = self._next_header(*database_pages(new))
                    if not encode_difference(self._copy.cache.database, new, header, body):
                        return self.bookmark
                    new.unlink()
                    winner = self._put(header, body, 1)
                    if winner is None:
                        self._follower.absorb_own(body)
                        return self.bookmark
                    self._follower.absorb(winner)
        raise self._contended()

    def scratch(self) -> AbstractContextManager[Path]:
        """A folder for files that are being made, on the file system of the local copy, for the length of a block."""
        return self._copy.cache.scratch()

    def standing(self, *, fold: bool = False) -> Standing:
        """The local copy's main file and what it stands for. fold: first bring it to the head, from where it goes on.

        Between two calls that count as many `rebuilds`, pages of commits after the first head may have been written to
        it, of commits up to the second, and nothing else.
        """
        with self._ahead_lock:
            self._follower.reclaim()
            if fold:
                self._fold()
            return Standing(self._copy.cache.database, self._copy.head, self._copy.rebuilds)

    def close(self) -> None:
        """Let go of the files; a later `open_vault` in any process goes on with them."""
        with self._writer_lock, self._ahead_lock, self._copy.connections.quiet():
            self._copy.close()

    def _reach(self, at: Freshness) -> TXID:
        """The TXID a reader must have reached, after catching up as far as asked."""
        if at.bookmark is not None:
            if self._copy.head.txid < at.bookmark.txid:
                self._refresh()
            self._check(at.bookmark)
            return at.bookmark.txid
        if at.look and not self._follower.looked_since(at.since):
            self._refresh()
        return self._copy.head.txid

    def _check(self, bookmark: Bookmark) -> None:
        head = self._copy.head
        if not is_of_vault(bookmark, self.id):
            raise Invalid("the bookmark is not of this vault", code="bookmark_unknown")
        if bookmark.txid > head.txid:
            raise Invalid("the bookmark is ahead of this vault", code="bookmark_ahead")
        if bookmark.txid == head.txid and str(bookmark) != self._bookmark(head):
            raise Invalid("the bookmark is not of this vault", code="bookmark_unknown")

    def _refresh(self) -> None:
        """Know every commit that was durable when this was called."""
        before = self._follower.catch_ups
        if self._follower.sees_end():
            return
        with self._writer_lock, self._ahead_lock:
            # The first catch-up that ended since may have begun, and looked, before this was called; not the second.
            if self._follower.catch_ups < before + 2:
                self._follower.be_at_head()

    def _lead(self, first: Pending) -> None:
        """Commit the works that wait, the first of them, which is the caller's own, at least."""
        group: list[Pending] = []
        try:
            self._commit(group, first)
        except BaseException as exc:
            group = group or self._queue.take(self.options.group_works)
            waiting = [pending for pending in group if not pending.done]
            if not isinstance(exc, Exception):
                # An interrupt hits the thread that leads; the works of the others go on with the next leader.
                self._queue.put_back([pending for pending in waiting if pending is not group[0]])
                raise
            for pending in waiting:
                pending.fail(exc)
        self._raise_interrupt()

    def _raise_interrupt(self) -> None:
        interrupt, self._interrupt = self._interrupt, None
        if interrupt is not None:
            raise interrupt

    def _commit(self, group: list[Pending], first: Pending | None = None) -> None:
        """Commit the group. first: of those who wait; who has come until the look is done joins, at each attempt."""
        gathering = first is not None

        def run(writer: sqlite3.Connection) -> bool:
            if gathering:
                group.extend(self._queue.take(self.options.group_works - len(group)))
            return run_group(writer, *self._watch(writer), group)

        self._seen_end = first is not None and self._follower.looked_since(first.since)
        for _ in range(self.options.commit_attempts):
            try:
                passed = self._attempt(run, group)
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
            bookmark = self.bookmark
            if self._copy.wal_end() > self.options.wal_bytes or self._keys_changed():
                self._fold()
            for pending in group:
                pending.finish(bookmark)
            return
        raise self._contended()

    def _attempt(self, run: Run, works: Sized) -> bool | None:
        """What `run` returned, its change durable; None when another writer was first or the copy was made anew."""
        with self._ahead_lock:
            if not self._seen_end:
                self._follower.be_at_head()
            self._seen_end = False
            try:
                writer = self._copy.begin()
                passed, change = self._run(run, writer)
            except EditedByHand:
                self._follower.rebuild("edited")
                return None
            if change is None:
                self._copy.nothing_changed()
                return passed
            return passed if self._publish(change, len(works)) else None

    def _run(self, run: Run, writer: sqlite3.Connection) -> tuple[bool, wal.Commit | None]:
        """What `run` returned and changed; the copy is back at the head if it raises."""
        try:
            return run(writer), self._copy.changed_pages()
        except BaseException:
            self._undo()
            raise

    def _publish(self, change: wal.Commit, works: int) -> bool:
        """Put the change into the log; False when another writer was first. The copy follows either way."""
        began = instant()
        try:
            header = self._next_header(len(next(iter(change.pages.values()))), change.database_pages)
            winner = self._put_through(header, encode(header, change.pages), works)
            now_ms = self._clock().ms
        except BaseException:
            self._undo()
            raise
        if winner is None:
            self._copy.accept(change, Head(header.max_txid, header.node_id, header.timestamp_ms, now_ms))
            self._follower.looked = max(self._follower.looked, began)
            return True
        self._undo()
        self._seen_end = self._follower.absorb(winner)
        return False

    def _next_header(self, page_bytes: int, database_pages: int) -> LtxHeader:
        head = self._copy.head
        txid = TXID(head.txid + 1)
        # Clocks differ between writers; times in the log never fall, so that a time names one commit.
        time_ms = max(self._clock().ms, head.timestamp_ms)
        return LtxHeader(page_bytes, database_pages, txid, txid, time_ms, node_id=secrets.randbits(64))

    def _put_through(self, header: LtxHeader, body: bytes, works: int) -> bytes | None:
        """As `_put`; an interrupt meanwhile waits until the outcome is known, for it is that of others as well."""
        try:
            return self._put(header, body, works)
        except Exception:
            raise
        except BaseException as exc:
            self._interrupt = exc
            return self._put(header, body, works)

    def _put(self, header: LtxHeader, body: bytes | Path, works: int) -> bytes | None:
        """None when the commit is ours, else what a look gives of it. Raises CommitUnknown, StoreUnavailable."""
        try:
            winner = self.log.put_commit(header.max_txid, body, header.timestamp_ms)
        except OutcomeUnknown as exc:
            emit(OutcomeLost(self.id, header.max_txid, works))
            raise CommitUnknown(
                f"the store did not say whether commit {header.max_txid:016x} was made",
                hint="look before repeating, or repeat with the same Idempotency-Key",
            ) from exc
        if winner is not None:
            emit(RaceLost(self.id, header.max_txid, works))
        return winner

    def _reconsider(self) -> None:
        """Ask again whether the vault takes writes, if another process changed what it was refused for."""
        keeper, refusal = self.schema_keeper, self.refusal
        if keeper is not None and self.read_raw(lambda connection, _: keeper.changed(connection)).value:
            self._settle_schema(known=refusal)

    def _settle_schema(self, known: VaultError | None) -> None:
        """Bring the schema to this process's again, unless another thread has done so since `known` was the refusal."""
        with self._writer_lock:
            if self.schema_keeper is not None and self.refusal is known:
                self.refusal = self.schema_keeper.settle(self)

    def _undo(self) -> None:
        with self._copy.connections.quiet():
            self._copy.undo()

    def _fold(self) -> None:
        with self._ahead_lock:
            if self._copy.edited():
                self._follower.rebuild("edited")
            elif self._copy.is_open:
                with self._copy.connections.quiet():
                    self._copy.fold()

    def _writer(self) -> sqlite3.Connection:
        writer = self._copy.connections.writer
        if writer is None:
            raise AssertionError("the vault is closed")
        return writer

    def _watch(self, writer: sqlite3.Connection) -> tuple[Guard, AuditTrail | None]:
        """The guard and audit trail of this writer connection, made once for each."""
        if self._writing is None or self._writing[0] is not writer:
            # Whatever replaces the content makes a new writer, so the schema can have gone back only here.
            if self.schema_keeper is not None and self.schema_keeper.behind(writer):
                raise SchemaWentBack("the schema was taken back by another process")
            key = self._audit_key(writer)
            trail = None if key is None else AuditTrail(writer, key, self._redacted, self._unaudited)
            guard = Guard(writer) if trail is None else Guard(writer, trail.on_change, trail.on_alter)
            self._writing = (writer, guard, trail)
        return self._writing[1:]

    def _keys_changed(self) -> bool:
        """Whether open connections hold a personal-data key that is no longer the vault's."""
        trail = None if self._writing is None else self._writing[2]
        return trail is not None and trail.keys_changed

    def _contended(self) -> Contended:
        return Contended(
            f"other writers made the next commit first, {self.options.commit_attempts} times", retry_after_s=1
        )

    def _bookmark(self, head: Head) -> str:
        return str(bookmark_of(self.id, head.txid, head.node_id))


__all__ = ["FIRST_PRIMARY", "FIRST_UNCONSTRAINED", "Answer", "Freshness", "Vault", "VaultOptions"]
