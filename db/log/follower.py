"""Bringing a local copy to the head of its log, or making it anew. Knows the log and the copy; not works or readers.

The caller holds the vault's locks, except for `sees_end`.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path

from db.clock import Moment
from db.errors import Unavailable
from db.log.commit_log import COMMIT_LEVEL, LISTINGS, LOOK_BYTES, CommitLog, LogObject, decode_object
from db.log.ltx import TXID, LtxFile, LtxHeader
from db.log.ltx_stream import LtxReader, read_file
from db.stores.base import ObjectMissing
from db.vault.database_file import write_database
from db.vault.freshness import NEVER, instant
from db.vault.local_copy import Changes, LocalCopy

# Commits of other writers up to this size together are decoded in memory, larger ones from files.
_IN_MEMORY_BYTES = 4 << 20


class LogFollower:
    """Keeps one local copy with its log.

    base_age_ms: after this long without a look at the whole log, a look at the next commit is not enough, for that
    commit may be pruned already. catch_ups: how often `be_at_head` has ended. looked: the `instant` before the newest
    look after which the copy stood where the log ended.
    """

    def __init__(
        self, log: CommitLog, copy: LocalCopy, clock: Callable[[], Moment], base_age_ms: int, looked: int
    ) -> None:
        self._log = log
        self._copy = copy
        self._clock = clock
        self._base_age_ms = base_age_ms
        self.catch_ups = 0
        self.looked = looked

    def looked_since(self, since: int | None) -> bool:
        """Whether the copy was seen to be at the head of the log by a look that began after that `instant`."""
        return since is not None and since <= self.looked and self._copy.is_open

    def sees_end(self) -> bool:
        """Whether one look shows that the log ends at the head; if not, `be_at_head` finds out where it does."""
        began, head = instant(), self._copy.head
        ends = self._copy.is_open and self._recent() and self._log.look(TXID(head.txid + 1)) is None
        if ends:
            self.looked = max(self.looked, began)
        return ends

    def be_at_head(self) -> None:
        """Catch up with the log. The copy must not be ahead of its head. Raises Unavailable when it was closed."""
        began = instant()
        self.reclaim()
        if not self._recent():
            self._catch_up_by_listing()
        # Also behind a listing: one that lags would leave the copy before commits that may be pruned later.
        ended = False
        while not ended and (body := self._log.look(TXID(self._copy.head.txid + 1))) is not None:
            ended = self.absorb(body)
        self.catch_ups += 1
        self.looked = max(self.looked, began)

    def absorb(self, body: bytes) -> bool:
        """Apply the commit after the head, and what followed; whether the log was seen to end there.

        body: what a look at that commit gave. What followed is as much as a listing shows without a gap: one made while
        others write may lack a commit that it should show; the next look finds it.
        """
        files: list[LtxFile] = []
        if len(body) < LOOK_BYTES:
            first = TXID(self._copy.head.txid + 1)
            files.append(self._decode(first, body))
            following = self._log.look(TXID(first + 1))
            if following is None:
                self._apply(_changes(files))
                return True
            if len(following) < LOOK_BYTES:
                files.append(self._decode(TXID(first + 1), following))
        reached = TXID(self._copy.head.txid + len(files))
        listed = self._log.list_level(COMMIT_LEVEL, after=reached)
        unbroken = [found for expected, found in enumerate(listed, reached + 1) if found.min_txid == expected]
        self._absorb_objects(unbroken, files)
        return False

    def absorb_own(self, body: Path) -> None:
        """Apply the commit after the head, which this process has just made: nothing is asked of the store."""
        self._apply([_open(body)])

    def reclaim(self) -> None:
        """Make the copy anew if somebody else wrote to its files, or if a failure left it without connections."""
        if self._copy.closed:
            raise Unavailable("the vault is closed in this process; open it again", retry_after_s=1)
        if self._copy.edited():
            self.rebuild("edited")
        elif not self._copy.is_open:
            self.rebuild("damaged")

    def rebuild(self, reason: str) -> None:
        """Make the copy anew from the log. reason: for the event."""
        # A listing may lag: what was seen before says nothing of this copy.
        self.looked = NEVER
        rebuild_copy(self._log, self._copy, reason, self._clock)

    def _catch_up_by_listing(self) -> None:
        """Catch up when commits after the head may be pruned or folded into ranges."""
        for attempt in range(1, LISTINGS + 1):
            objects = self._log.chain(base=self._copy.head.txid)
            if not objects:
                self._copy.checked(self._clock().ms)
                return
            if objects[0].min_txid == 1:
                self.rebuild("stale")
                return
            try:
                self._absorb_objects(objects, ())
            except ObjectMissing:  # Pruned after it was listed: what replaced it is in the next listing.
                if attempt == LISTINGS:
                    raise
            else:
                return

    def _absorb_objects(self, objects: Sequence[LogObject], before: Sequence[LtxFile]) -> None:
        """Apply the files `before`, then the objects: all of it checked before the first page is written."""
        if sum(found.size for found in objects) <= _IN_MEMORY_BYTES:
            self._apply(_changes([*before, *self._log.fetch(objects)]))
            return
        with self._copy.cache.scratch() as folder:
            saved = self._log.save_each(objects, folder)
            self._apply(chain(_changes(before), map(_open, saved)))

    def _apply(self, changes: Changes) -> None:
        if self._copy.edited():
            self.rebuild("edited")
            return
        with self._copy.connections.quiet():
            self._copy.absorb(changes, self._clock().ms)

    def _decode(self, txid: TXID, body: bytes) -> LtxFile:
        return decode_object(self._log.key(COMMIT_LEVEL, txid, txid), body)

    def _recent(self) -> bool:
        return self._clock().ms - self._copy.head.checked_ms <= self._base_age_ms


def rebuild_copy(
    log: CommitLog,
    copy: LocalCopy,
    reason: str,
    clock: Callable[[], Moment],
    chosen: Callable[[TXID], object] = int,
) -> None:
    """Make the copy anew from the log. The one that is there goes on until the new one is complete.

    reason: for the event. chosen: told the TXID that is aimed at before anything is fetched.
    """
    with copy.cache.scratch() as folder:
        database = folder / "vault.sqlite"
        header = write_database(log, database, chosen=chosen)
        with copy.connections.quiet():
            copy.rebuild(database, header, reason, clock().ms)


def _changes(files: Iterable[LtxFile]) -> Changes:
    return [(file.header, file.pages.items()) for file in files]


def _open(saved: Path) -> tuple[LtxHeader, Iterable[tuple[int, bytes]]]:
    reader = LtxReader(read_file(saved), saved.stat().st_size, saved.name)
    return reader.header, reader.pages()
