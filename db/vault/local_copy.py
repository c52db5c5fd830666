"""The local copy of a vault as the engine uses it: at a durable commit, or one change ahead of it and able to go back.

Joins the folder, its marker and the connections. Knows nothing of the store; the caller holds the vault's locks.
"""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from db.clock import timestamp
from db.errors import VaultError
from db.events import CacheRebuilt, EditKept, emit
from db.log.ltx import TXID, LtxHeader
from db.vault import wal
from db.vault.cache import CacheFolder, Marker
from db.vault.connections import Connections
from db.vault.head import NOWHERE, Head

Prepare = Callable[[sqlite3.Connection], None]
_WAL_BATCH_BYTES = 4 << 20
# Commits in order: the header and the pages of each.
Changes = Iterable[tuple[LtxHeader, Iterable[tuple[int, bytes]]]]


@dataclass(frozen=True, slots=True)
class Standing:
    """The main file of a copy, the head, and how often the file was made anew since the copy was opened."""

    database: Path
    head: Head
    rebuilds: int


class EditedByHand(VaultError):
    """The local file holds a change that did not come through the engine."""

    code = "cache_edited"


class LocalCopy:
    """One process's copy of one vault, open until `close`.

    epoch: rises whenever the connections are made anew, rebuilds when the file is. closed: `close` was called.
    """

    def __init__(self, cache: CacheFolder, vault_id: str, readers: int, prepare: Prepare) -> None:
        self.vault_id = vault_id
        self.cache = cache
        self.connections = Connections(cache, readers, prepare)
        self.epoch = 0
        self.rebuilds = 0
        self.closed = False
        self.head = NOWHERE
        self._marker = Marker(TXID(0), 0, 0, 0)
        self._wal_header: wal.WalHeader | None = None
        self._wal_end = 0
        self._wal_checksum = (0, 0)

    @property
    def file_bytes(self) -> int:
        """Size of the main file when the write-ahead file was last folded in."""
        return self._marker.file_bytes

    @property
    def is_open(self) -> bool:
        """Whether there are connections: not before `resume` or `rebuild`, nor after a change of the files failed."""
        return self.connections.writer is not None

    def resume(self) -> bool:
        """Go on with the files of the last process, if the marker proves them; False asks for a rebuild."""
        marker = self.cache.read_marker()
        if marker is None or marker.txid == 0:
            return False
        if not self.cache.agrees(marker):
            self._keep_edit(marker)
            return False
        if self.cache.wal_length() > marker.wal_bytes:
            self._keep_edit(marker)
        # Killed from here on, the process leaves files that are nobody's edit.
        self.cache.write_marker(marker._replace(busy=True))
        self.cache.truncate_wal(marker.wal_bytes)
        if marker.wal_bytes and not self._fold(marker):
            return False
        self.head = Head(marker.txid, marker.node_id, marker.timestamp_ms, marker.checked_ms)
        self._settle_and_open()
        return True

    def rebuild(self, database: Path, header: LtxHeader, reason: str, now_ms: int) -> None:
        """Take a file made from the log in place of the copy. database: in the cache's `scratch`. header: its head."""
        self.connections.close_abandoned()
        self.cache.write_marker(self._marker._replace(busy=True, txid=TXID(0)))
        self.cache.clear()
        self.cache.adopt(database)
        self.rebuilds += 1
        self.head = _head(header, now_ms)
        self._settle_and_open()
        emit(CacheRebuilt(self.vault_id, self.head.txid, reason))

    def absorb(self, changes: Changes, now_ms: int) -> None:
        """Apply other writers' commits, checked already. A change of our own not acknowledged must have been undone."""
        self._mark_moving()
        self.connections.close_settled()
        for header, pages in changes:
            self.cache.apply(pages, header.page_bytes, header.database_pages)
            self.head = _head(header, now_ms)
        self._settle_and_open()

    def edited(self) -> bool:
        """Whether somebody else wrote to the files since the head; the files are kept aside then."""
        if not self.is_open or self.connections.wal_length() == self._wal_end:
            return False
        self._keep_edit(self._marker)
        return True

    def begin(self) -> sqlite3.Connection:
        """The writer, with the marker saying that the engine is at work. Raises EditedByHand."""
        writer = self.connections.writer
        if writer is None:
            raise AssertionError("the copy is not open")
        if self.edited():
            raise self._edited_by_hand()
        self._mark(busy=True)
        return writer

    def changed_pages(self) -> wal.Commit | None:
        """The pages SQLite committed since the head, or None. Raises EditedByHand for frames that are not ours."""
        end = self.connections.wal_length()
        if end == self._wal_end:
            return None
        if self._wal_header is None:
            self._wal_header = wal.read_header(self.connections.wal_bytes(0, wal.HEADER_BYTES))
            self._wal_end, self._wal_checksum = wal.HEADER_BYTES, self._wal_header.checksum
        frames = self.connections.wal_bytes(self._wal_end, end)
        # Written a moment ago under SQLite's write lock and still in memory: `resume` checks what a crash left on disk.
        change = wal.read_commits(frames, self._wal_header, self._wal_checksum, start=self._wal_end, verify=False)
        # Ours is one commit; what came just before or after it between two looks at the length is somebody else's.
        if change is None or change.commits != 1 or change.end != end:
            self._keep_edit(self._marker._replace(busy=False))
            raise self._edited_by_hand()
        return change

    def accept(self, change: wal.Commit, head: Head) -> None:
        """The change is durable: it is the head now, and readers see it."""
        self._wal_end, self._wal_checksum = change.end, change.checksum
        self.head = head
        self._mark(busy=False)
        self.advance_idle_readers()

    def nothing_changed(self) -> None:
        """The work ended without a change."""
        self._mark(busy=False)

    def advance_idle_readers(self) -> None:
        """Move every reader that is not at work to the head, at which the write-ahead file must end."""
        for reader in self.connections.readers:
            if reader.head.txid < self.head.txid and reader.lock.acquire(blocking=False):
                try:
                    reader.stand_at(self.head)
                finally:
                    reader.lock.release()

    def undo(self) -> None:
        """Go back to the head after a change that did not become durable, without touching the log."""
        agreed = self._marker.wal_bytes
        self.connections.close_abandoned()
        self.cache.truncate_wal(agreed)
        self._wal_header = None if agreed == 0 else self._wal_header
        self._wal_end = agreed
        self._open()
        self._mark(busy=False)

    def checked(self, now_ms: int) -> None:
        """The log was seen to end at the head."""
        self.head = replace(self.head, checked_ms=now_ms)

    def fold(self) -> None:
        """Fold the write-ahead file into the main file and go on. Nobody may be reading."""
        self._mark_moving()
        self.connections.close_settled()
        self._settle_and_open()

    def wal_end(self) -> int:
        """Bytes of the agreed write-ahead file."""
        return self._wal_end

    def close(self) -> None:
        """Close everything; the files stay behind as a copy that `resume` accepts, unless somebody else wrote to it."""
        if self.closed:
            return
        self.closed = True
        if self.edited():
            self.cache.write_marker(self._marker._replace(busy=True, txid=TXID(0)))
            self.connections.close_abandoned()
        elif self.is_open:
            self._mark_moving()
            self.connections.close_settled()
            self._settle()
        self.cache.close()

    def _settle_and_open(self) -> None:
        self._settle()
        self._open()

    def _settle(self) -> None:
        head = self.head
        marker = Marker(head.txid, head.node_id, head.timestamp_ms, head.checked_ms)
        self._marker = self.cache.settled(marker)
        self.cache.write_marker(self._marker)
        self._wal_header, self._wal_end, self._wal_checksum = None, 0, (0, 0)

    def _open(self) -> None:
        self.epoch += 1
        try:
            self.connections.open(self.head)
        except BaseException:
            self.connections.close_abandoned()
            raise

    def _mark(self, *, busy: bool) -> None:
        first, second = self._wal_checksum
        head, before = self.head, self._marker
        self._marker = Marker(
            head.txid,
            head.node_id,
            head.timestamp_ms,
            head.checked_ms,
            0 if self._wal_header is None else self._wal_end,
            first << 32 | second,
            before.file_bytes,
            before.file_mtime_ns,
            busy,
        )
        self.cache.write_marker(self._marker)

    def _mark_moving(self) -> None:
        """Say on disk that the main file is changing: a process killed meanwhile leaves no copy to go on with.

        The file's own time would not always tell, for it moves in steps of some milliseconds.
        """
        self._mark(busy=True)
        self.cache.write_marker(self._marker._replace(file_bytes=0, file_mtime_ns=0))

    def _edited_by_hand(self) -> EditedByHand:
        return EditedByHand(f"the local file of vault {self.vault_id} was written to by somebody else")

    def _fold(self, marker: Marker) -> bool:
        """Check the agreed part of a write-ahead file left by a killed process and fold it in."""
        if not self._wal_agrees(marker):
            return False
        connection = sqlite3.connect(f"file:{self.cache.database}?mode=rw", uri=True, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()
        return True

    def _wal_agrees(self, marker: Marker) -> bool:
        """Whether the write-ahead file holds whole commits up to where, and with which sums, the marker says."""
        with self.cache.wal.open("rb") as file:
            try:
                header = wal.read_header(file.read(wal.HEADER_BYTES))
                end, checksum, batch = wal.HEADER_BYTES, header.checksum, _WAL_BATCH_BYTES
                while end < marker.wal_bytes:
                    file.seek(end)
                    found = wal.read_commits(file.read(min(batch, marker.wal_bytes - end)), header, checksum, start=end)
                    if found is not None:
                        end, checksum = found.end, found.checksum
                    elif end + batch >= marker.wal_bytes:
                        return False
                    else:  # a commit longer than the batch
                        batch *= 2
            except VaultError:
                return False
        return checksum[0] << 32 | checksum[1] == marker.wal_checksum

    def _keep_edit(self, marker: Marker) -> Path | None:
        """Keep a copy of files that somebody else changed; the engine's own leftovers are not worth it."""
        if marker.busy:
            return None
        with suppress(FileNotFoundError):
            kept = self.cache.keep_edit(timestamp(marker.checked_ms))
            emit(EditKept(self.vault_id, str(kept)))
            return kept
        return None


def _head(header: LtxHeader, now_ms: int) -> Head:
    return Head(header.max_txid, header.node_id, header.timestamp_ms, now_ms)
