"""The connections of one local copy: a writer, and readers that stand still at the last durable commit.

Knows SQLite and the files of the copy; not the log, nor who reads or writes what.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from db.errors import Unavailable
from db.vault.cache import CacheFolder
from db.vault.guard import BEGIN_READ, COMMIT, Guard
from db.vault.head import NOWHERE, Head

_WRITER_PRAGMAS = (
    # The log is the truth: the copy need not survive a power cut, so it never waits for the disk.
    "PRAGMA synchronous = OFF",
    # A checkpoint at a moment SQLite chooses would restart the write-ahead file under the engine's feet.
    "PRAGMA wal_autocheckpoint = 0",
    # What is deleted is overwritten where that costs no further page: an erased key must not linger in free space.
    "PRAGMA secure_delete = FAST",
    # Pages reach the write-ahead file at COMMIT only, so that its end is always the end of a commit.
    "PRAGMA cache_spill = OFF",
)
_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    # REPLACE deletes rows; without this the delete triggers, and so the audit log, would not see it.
    "PRAGMA recursive_triggers = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cell_size_check = ON",
)


class Reader:
    """A read-only connection inside an open transaction at the commit `head`. One thread at a time (`lock`)."""

    def __init__(self, connection: sqlite3.Connection, guard: Guard) -> None:
        self.connection = connection
        self.guard = guard
        self.lock = threading.Lock()
        self.closed = False
        self.head = NOWHERE

    def stand_at(self, head: Head) -> None:
        """Move to the end of the write-ahead file, which must be the durable commit `head`."""
        self.guard.open = True
        try:
            if self.connection.in_transaction:
                self.connection.execute(COMMIT)
            self.connection.execute(BEGIN_READ)
            # A transaction takes its snapshot at the first read, not at BEGIN.
            self.connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        finally:
            self.guard.open = False
        self.head = head

    def settle(self) -> None:
        """Stand nowhere if SQLite ended the transaction, as it does without memory: the next read must not begin where
        the write-ahead file ends, which may be a commit that is not durable yet."""
        if not self.closed and not self.connection.in_transaction:
            self.head = NOWHERE


class Connections:
    """The writer and the readers of one cache folder.

    prepare: called with every new connection before its guard closes, to register SQL functions.
    """

    def __init__(self, cache: CacheFolder, readers: int, prepare: Callable[[sqlite3.Connection], None]) -> None:
        self._cache = cache
        self._reader_count = readers
        self._prepare = prepare
        self._wal_fd = -1
        self._next = 0
        self._gate = threading.Lock()
        self.writer: sqlite3.Connection | None = None
        self.readers: list[Reader] = []

    def open(self, head: Head) -> sqlite3.Connection:
        """Open every connection on a file that stands at the commit `head`; the writer."""
        writer = self._connect(f"file:{self._cache.database}?mode=rw")
        self.writer = writer
        for pragma in _WRITER_PRAGMAS:
            writer.execute(pragma)
        writer.execute("PRAGMA journal_mode = WAL").fetchone()
        writer.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        self._wal_fd = os.open(self._cache.wal, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for _ in range(self._reader_count):
            # The writer goes first: a read-only connection can make neither -wal nor -shm.
            connection = self._connect(f"file:{self._cache.database}?mode=ro")
            reader = Reader(connection, Guard(connection))
            reader.stand_at(head)
            self.readers.append(reader)
        return writer

    def _connect(self, uri: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=5.0
        )
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        self._prepare(connection)
        return connection

    @contextmanager
    def reading(self) -> Generator[Reader]:
        """A reader of one's own for the length of one read; waits when all are busy."""
        reader = self._take()
        try:
            yield reader
        finally:
            reader.settle()
            reader.lock.release()

    @contextmanager
    def reading_idle(self) -> Generator[Reader | None]:
        """As `reading`, without waiting: None when no reader is idle, or the copy is changing or closed."""
        reader = None
        if self._gate.acquire(blocking=False):
            try:
                reader = next((known for known in self.readers if known.lock.acquire(blocking=False)), None)
            finally:
                self._gate.release()
        try:
            yield reader
        finally:
            if reader is not None:
                reader.settle()
                reader.lock.release()

    def _take(self) -> Reader:
        while True:
            with self._gate:
                reader = self._free_reader()
            if reader.lock.acquire() and not reader.closed:
                return reader
            reader.lock.release()

    def _free_reader(self) -> Reader:
        """An idle reader, or else the next in turn. Raises Unavailable when the copy is closed or was lost."""
        if not self.readers:
            raise Unavailable("the local copy of the vault is closed; open the vault again", retry_after_s=1)
        idle = next((reader for reader in self.readers if not reader.lock.locked()), None)
        self._next = (self._next + 1) % len(self.readers)
        return self.readers[self._next] if idle is None else idle

    @contextmanager
    def quiet(self) -> Generator[None]:
        """No reader is at work inside; new ones wait at the gate until there are readers again."""
        with self._gate:
            held = list(self.readers)
            for reader in held:
                reader.lock.acquire()
            try:
                yield
            finally:
                for reader in held:
                    reader.lock.release()

    def wal_length(self) -> int:
        """Bytes of the write-ahead file."""
        return os.fstat(self._wal_fd).st_size

    def wal_bytes(self, start: int, end: int) -> bytes:
        """That part of the write-ahead file."""
        return os.pread(self._wal_fd, end - start, start)

    def close_settled(self) -> None:
        """Close everything; the writer goes last, folds the write-ahead file into the main file and removes it."""
        self._close_readers()
        self._close_writer()

    def close_abandoned(self) -> None:
        """Close everything without folding: the readers go last, and a read-only closer never checkpoints."""
        self._close_writer()
        self._close_readers()

    def _close_writer(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None
        if self._wal_fd >= 0:
            os.close(self._wal_fd)
            self._wal_fd = -1

    def _close_readers(self) -> None:
        for reader in self.readers:
            reader.guard.open = True
            reader.closed = True
            reader.connection.close()
        self.readers = []
