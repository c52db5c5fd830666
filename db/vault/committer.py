"""Making the commits of one vault: a change of the local copy becomes an object of the log, or is undone.

Joins the copy, its follower and the log. Knows neither readers nor who waits for a commit: the caller lets one thread
in at a time.
"""

import secrets
import sqlite3
import threading
from collections.abc import Callable, Sized
from pathlib import Path

from db.clock import Moment
from db.errors import CommitUnknown, Contended
from db.events import OutcomeLost, RaceLost, emit
from db.log.commit_log import CommitLog
from db.log.follower import LogFollower
from db.log.ltx import TXID, LtxHeader, encode
from db.stores.base import OutcomeUnknown
from db.vault import wal
from db.vault.commit_group import run_alone
from db.vault.database_file import database_pages, encode_difference
from db.vault.freshness import instant
from db.vault.head import Head
from db.vault.local_copy import EditedByHand, LocalCopy

Run = Callable[[sqlite3.Connection], bool]


class Committer:
    """The one writer of a local copy.

    attempts: races lost before it gives up. ahead_lock: held while the write-ahead file is ahead of the head: a reader
    that moved then would see an unmade commit.
    """

    def __init__(
        self, log: CommitLog, copy: LocalCopy, follower: LogFollower, clock: Callable[[], Moment], attempts: int
    ) -> None:
        self.attempts = attempts
        self.ahead_lock = threading.RLock()
        self._log = log
        self._copy = copy
        self._follower = follower
        self._clock = clock
        self._interrupt: BaseException | None = None
        # The log was seen to end at the head while a lost race was made up for: the next attempt need not look.
        self._seen_end = False

    def begin(self, *, seen_end: bool) -> None:
        """What follows is a new piece of work. seen_end: a look that serves it showed the log to end at the head."""
        self._seen_end = seen_end

    def attempt(self, run: Run, works: Sized) -> bool | None:
        """What `run` returned, its change durable; None when another writer was first or the copy was made anew."""
        with self.ahead_lock:
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

    def alter(self, work: Run, *, foreign_keys: bool) -> bool:
        """As `Vault.alter`."""
        self.begin(seen_end=False)
        for _ in range(self.attempts):
            self.fold()
            try:
                did = self.attempt(lambda writer: run_alone(writer, work, foreign_keys=foreign_keys), (work,))
                if did is not None:
                    return did
            finally:
                self.fold()
                self.raise_interrupt()
        raise self.contended()

    def replace(self, new: Path, body: Path, build: Callable[[sqlite3.Connection, Path], object]) -> bool:
        """One attempt to commit the database file `new` as the vault's content; False when another writer was first.

        build: completes the file, given the writer at the head. body: path for the object.
        """
        with self.ahead_lock:
            self._follower.be_at_head()
            self.fold()
            build(self._writer(), new)
            header = self._next_header(*database_pages(new))
            if not encode_difference(self._copy.cache.database, new, header, body):
                return True
            new.unlink()
            winner = self._put(header, body, 1)
            if winner is None:
                self._follower.absorb_own(body)
                return True
            self._follower.absorb(winner)
            return False

    def fold(self) -> None:
        """Fold the write-ahead file into the main file, or make the copy anew if somebody else wrote to it."""
        with self.ahead_lock:
            if self._copy.edited():
                self._follower.rebuild("edited")
            elif self._copy.is_open:
                with self._copy.connections.quiet():
                    self._copy.fold()

    def raise_interrupt(self) -> None:
        """Raise the interrupt that came while a put was on its way, if one did."""
        interrupt, self._interrupt = self._interrupt, None
        if interrupt is not None:
            raise interrupt

    def contended(self) -> Contended:
        """What to raise when every attempt was lost."""
        return Contended(f"other writers made the next commit first, {self.attempts} times", retry_after_s=1)

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
            winner = self._log.put_commit(header.max_txid, body, header.timestamp_ms)
        except OutcomeUnknown as exc:
            emit(OutcomeLost(self._log.vault_id, header.max_txid, works))
            raise CommitUnknown(
                f"the store did not say whether commit {header.max_txid:016x} was made",
                hint="look before repeating, or repeat with the same Idempotency-Key",
            ) from exc
        if winner is not None:
            emit(RaceLost(self._log.vault_id, header.max_txid, works))
        return winner

    def _undo(self) -> None:
        with self._copy.connections.quiet():
            self._copy.undo()

    def _writer(self) -> sqlite3.Connection:
        writer = self._copy.connections.writer
        if writer is None:
            raise AssertionError("the vault is closed")
        return writer
