"""Bringing a local copy to the head of its log, or making it anew. Knows the log and the copy; not works or readers.

The caller holds the vault's locks, except for `sees_end`.
"""

from collections.abc import Callable, Sequence

from db.clock import Moment
from db.errors import Unavailable
from db.local_copy import LocalCopy
from db.log import COMMIT_LEVEL, CommitLog, decode_object
from db.ltx import TXID, LtxFile


class LogFollower:
    """Keeps one local copy with its log.

    base_age_ms: after this long without a look at the whole log, a look at the next commit is not enough, for that
    commit may be pruned already. catch_ups: how often `be_at_head` has ended.
    """

    def __init__(self, log: CommitLog, copy: LocalCopy, clock: Callable[[], Moment], base_age_ms: int) -> None:
        self._log = log
        self._copy = copy
        self._clock = clock
        self._base_age_ms = base_age_ms
        self.catch_ups = 0

    def sees_end(self) -> bool:
        """Whether one look shows that the log ends at the head; if not, `be_at_head` finds out where it does."""
        head = self._copy.head
        return self._copy.is_open and self._recent() and self._log.look(TXID(head.txid + 1)) is None

    def be_at_head(self) -> None:
        """Catch up with the log. The copy must not be ahead of its head. Raises Unavailable when it was closed."""
        self.reclaim()
        if self._recent():
            ended = False
            while not ended and (body := self._log.look(TXID(self._copy.head.txid + 1))) is not None:
                ended = self.absorb(body)
        else:
            self._catch_up_by_listing()
        self.catch_ups += 1

    def absorb(self, body: bytes) -> bool:
        """Apply the commit after the head, and what followed; whether the log was seen to end there.

        What followed is as much as a listing shows without a gap: one made while others write may lack a commit that
        it should show; the next look finds it.
        """
        first = TXID(self._copy.head.txid + 1)
        files = [self._decode(first, body)]
        second = TXID(first + 1)
        following = self._log.look(second)
        if following is not None:
            files.append(self._decode(second, following))
            listed = self._log.list_level(COMMIT_LEVEL, after=second)
            unbroken = [found for expected, found in enumerate(listed, second + 1) if found.min_txid == expected]
            files.extend(self._log.fetch(unbroken))
        self._apply(files)
        return following is None

    def absorb_own(self, body: bytes) -> None:
        """Apply the commit after the head, which this process has just made: nothing is asked of the store."""
        self._apply([self._decode(TXID(self._copy.head.txid + 1), body)])

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
        # Fetched before anything is removed: if the store fails, the copy that is there goes on.
        files = self._log.restore_files()
        with self._copy.connections.quiet():
            self._copy.rebuild(files, reason, self._clock().ms)

    def _catch_up_by_listing(self) -> None:
        """Catch up when commits after the head may be pruned or folded into ranges."""
        files = self._log.restore_files(base=self._copy.head.txid)
        if not files:
            self._copy.checked(self._clock().ms)
        elif files[0].header.min_txid == 1:
            with self._copy.connections.quiet():
                self._copy.rebuild(files, "stale", self._clock().ms)
        else:
            self._apply(files)

    def _apply(self, files: Sequence[LtxFile]) -> None:
        if self._copy.edited():
            self.rebuild("edited")
            return
        with self._copy.connections.quiet():
            self._copy.absorb(files, self._clock().ms)

    def _decode(self, txid: TXID, body: bytes) -> LtxFile:
        return decode_object(self._log.key(COMMIT_LEVEL, txid, txid), body)

    def _recent(self) -> bool:
        return self._clock().ms - self._copy.head.checked_ms <= self._base_age_ms
