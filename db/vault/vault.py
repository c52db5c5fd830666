"""One tenant's vault: reads at a durable commit, writes that are durable when they return.

Joins the log and the local copy. Knows no charter, principal or HTTP. Safe for many threads: writers queue and share
commits; readers stand at a durable commit and wait for a writer only to see its commit.
"""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar, cast

from db.bounded import bounded
from db.clock import Moment, system_moment
from db.errors import Forbidden, Invalid, VaultError
from db.forgetting.declared import Subject
from db.log.bookmark import Bookmark, bookmark_of, is_of_vault
from db.log.commit_log import CommitLog
from db.log.follower import LogFollower
from db.log.ltx import TXID
from db.transaction import Actor, ReadTx, WriteTx
from db.vault.commit_group import Pending
from db.vault.committer import Committer
from db.vault.connections import Reader
from db.vault.freshness import FIRST_PRIMARY, FIRST_UNCONSTRAINED, NEVER, Freshness, instant
from db.vault.head import NOWHERE, Head
from db.vault.local_copy import LocalCopy, Standing
from db.vault.options import VaultOptions
from db.vault.write_leader import Audited, AuditKey, SchemaWatch, SchemaWentBack, WriteLeader

T = TypeVar("T")


class SchemaKeeper(SchemaWatch, Protocol):
    """Knows which schema this process was made for. Connections are inside a transaction, or have none to disturb."""

    def settle(self, vault: "Vault") -> VaultError | None:
        """Apply what is due and may be applied; why the vault takes no writes, or None."""
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
    it, tables and `table.column` names. forgettable: values it keeps sealed, and whom each is about.
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
        forgettable: Mapping[str, Subject] | None = None,
    ) -> None:
        self.log = log
        self.options = options or VaultOptions()
        self.refusal: VaultError | None = None
        self._copy = copy
        self._clock = clock
        self._follower = LogFollower(log, copy, clock, self.options.base_age_ms, looked)
        self._committer = Committer(log, copy, self._follower, clock, self.options.commit_attempts)
        audited = Audited(audit_key, redacted, unaudited, forgettable or {})
        # Neither refers back to the vault: one that is let go without `close` must fall apart at once, writer first. A
        # writer that the garbage collector closes after the readers would fold the write-ahead file in.
        self._leader = WriteLeader(self._committer, copy, self._follower, self.options, audited)
        self._schema_keeper: SchemaKeeper | None = None
        self._marked: tuple[Head, str] = (NOWHERE, "")

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

    @property
    def schema_keeper(self) -> SchemaKeeper | None:
        """Says whether the schema is the one this process was made for; `open_vault` sets it."""
        return self._schema_keeper

    @schema_keeper.setter
    def schema_keeper(self, keeper: SchemaKeeper | None) -> None:
        self._schema_keeper = self._leader.schema = keeper

    def read(self, work: Callable[[ReadTx], T], at: Freshness = FIRST_PRIMARY) -> Answer[T]:
        """What `work` returns from a snapshot at least as new as asked for.

        Raises what the work raises, Invalid for a bookmark that this vault never had, StoreUnavailable.
        """
        return self._read(lambda reader: work(ReadTx(reader.connection, reader.guard)), at)

    def read_at_once(self, work: Callable[[ReadTx, str], T], is_over: Callable[[], bool]) -> Answer[T] | None:
        """As a current `read` that waits for nothing but one look; None where it would have to.

        That is when others made a commit, and when every reader is at work. The work also gets the bookmark it reads
        at. Raises what it raises, OutOfTime once `is_over` says so, asked every few hundred microseconds.
        """
        head = self._copy.head
        if not self._follower.sees_end():
            return None
        with self._copy.connections.reading_idle() as reader:
            if reader is None or reader.head.txid < head.txid:
                return None
            bookmark = self._bookmark(reader.head)
            with bounded(reader.connection, is_over):
                return Answer(work(ReadTx(reader.connection, reader.guard), bookmark), bookmark)

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
            with self._committer.ahead_lock:
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
            self._leader.run(pending)
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
        with self._leader.lock:
            return self._committer.alter(work, foreign_keys=foreign_keys)

    def replace(self, make: Callable[[Path], object], build: Callable[[sqlite3.Connection, Path], object]) -> str:
        """Commit another content for the whole vault, as one ordinary commit: the history stays; the bookmark.

        make: writes the new database file, while others write. build: completes it, given the writer at the head, while
        they wait. Both are called again after a lost race.
        """
        with self.scratch() as folder:
            new = folder / "new.sqlite"
            for _ in range(self.options.commit_attempts):
                make(new)
                with self._leader.lock:
                    if self._committer.replace(new, folder / "new.ltx", build):
                        return self.bookmark
        raise self._committer.contended()

    def scratch(self) -> AbstractContextManager[Path]:
        """A folder for files that are being made, on the file system of the local copy, for the length of a block."""
        return self._copy.cache.scratch()

    def standing(self, *, fold: bool = False) -> Standing:
        """The local copy's main file and what it stands for. fold: first bring it to the head, from where it goes on.

        Between two calls that count as many `rebuilds`, pages of commits after the first head may have been written to
        it, of commits up to the second, and nothing else.
        """
        with self._committer.ahead_lock:
            self._follower.reclaim()
            if fold:
                self._committer.fold()
            return Standing(self._copy.cache.database, self._copy.head, self._copy.rebuilds)

    def close(self) -> None:
        """Let go of the files; a later `open_vault` in any process goes on with them."""
        with self._leader.lock, self._committer.ahead_lock, self._copy.connections.quiet():
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
        with self._leader.lock, self._committer.ahead_lock:
            # The first catch-up that ended since may have begun, and looked, before this was called; not the second.
            if self._follower.catch_ups < before + 2:
                self._follower.be_at_head()

    def _reconsider(self) -> None:
        """Ask again whether the vault takes writes, if another process changed what it was refused for."""
        keeper, refusal = self.schema_keeper, self.refusal
        if keeper is not None and self.read_raw(lambda connection, _: keeper.changed(connection)).value:
            self._settle_schema(known=refusal)

    def _settle_schema(self, known: VaultError | None) -> None:
        """Bring the schema to this process's again, unless another thread has done so since `known` was the refusal."""
        with self._leader.lock:
            if self.schema_keeper is not None and self.refusal is known:
                self.refusal = self.schema_keeper.settle(self)

    def _bookmark(self, head: Head) -> str:
        # Most reads stand where the one before stood, and making the text takes longer than finding a row by its key.
        known, text = self._marked
        if known is not head:
            text = str(bookmark_of(self.id, head.txid, head.node_id))
            self._marked = (head, text)
        return text


__all__ = ["FIRST_PRIMARY", "FIRST_UNCONSTRAINED", "Answer", "Freshness", "Vault", "VaultOptions"]
