"""The local copy of one vault: a folder, its marker and its file. Knows files; not the log, transactions or tenants.

The copy is disposable. A marker beside it says up to which commit, and up to which byte of the write-ahead file, it
agrees with the log; what cannot be proved by the marker is made anew. One process owns a folder (flock); a second
process takes the next slot.
"""

import fcntl
import os
import shutil
import struct
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from fastcrc.crc64 import go_iso

from db.errors import Unavailable
from db.log.ltx import TXID

MAX_SLOTS = 64
MAX_KEPT_EDITS = 3
_RUN_BYTES = 256 << 10
_MARKER = struct.Struct(">8sQQQQQQQQB16s")
_MAGIC: Final = b"VMARKER1"


def _boot_id() -> bytes:
    """Sixteen bytes that change with every start of the machine, or nothing where it does not tell."""
    try:
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return b""


# synchronous=OFF: after a power cut the file may hold anything, so a copy is trusted within one boot only.
_BOOT: Final = _boot_id()


class Marker(NamedTuple):
    """What the local file agrees with; the fields are written in this order, twice a commit.

    wal_bytes, wal_checksum: length of the agreed part of the write-ahead file and the running checksum at its end
    (0 and 0: no write-ahead file). file_bytes, file_mtime_ns: of the main file. checked_ms: when the log was last
    seen to end here. busy: the engine was changing the files; leftovers are its own and not somebody's edit.
    """

    txid: TXID
    node_id: int
    timestamp_ms: int
    checked_ms: int
    wal_bytes: int = 0
    wal_checksum: int = 0
    file_bytes: int = 0
    file_mtime_ns: int = 0
    busy: bool = False


class CacheFolder:
    """One process's folder for one vault, locked until `close`."""

    def __init__(self, root: Path, vault_id: str) -> None:
        """Take the first free slot under `root`. Raises Unavailable when all are taken."""
        self.path, self._lock = _claim(root / vault_id)
        self.database = self.path / "vault.sqlite"
        self.wal = self.path / "vault.sqlite-wal"
        self._scratch = self.path / "scratch"
        # What a killed process left there; the folder is ours alone.
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._marker_fd = os.open(self.path / "marker", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Let the folder go; the files stay for the next one."""
        os.close(self._marker_fd)
        os.close(self._lock)

    def read_marker(self) -> Marker | None:
        """The marker, or None when there is none, it is damaged, or the machine was restarted since."""
        record = os.pread(self._marker_fd, _MARKER.size + 8, 0)
        if len(record) != _MARKER.size + 8 or go_iso(record[:-8]) != int.from_bytes(record[-8:], "big"):
            return None
        magic, txid, node, time, checked, wal, checksum, size, mtime, busy, boot = _MARKER.unpack(record[:-8])
        if magic != _MAGIC or not _BOOT or boot != _BOOT:
            return None
        return Marker(TXID(txid), node, time, checked, wal, checksum, size, mtime, bool(busy))

    def write_marker(self, marker: Marker) -> None:
        """Replace the marker in one write."""
        record = _MARKER.pack(_MAGIC, *marker, _BOOT or bytes(16))
        os.pwrite(self._marker_fd, record + go_iso(record).to_bytes(8, "big"), 0)

    def settled(self, marker: Marker) -> Marker:
        """The marker for a main file without a write-ahead file, as it stands on disk now."""
        status = self.database.stat()
        return marker._replace(
            wal_bytes=0,
            wal_checksum=0,
            file_bytes=status.st_size,
            file_mtime_ns=status.st_mtime_ns,
            busy=False,
        )

    def agrees(self, marker: Marker) -> bool:
        """Whether the files still are what the marker says, leftovers behind the agreed write-ahead part aside."""
        try:
            status = self.database.stat()
        except FileNotFoundError:
            return False
        same_file = (status.st_size, status.st_mtime_ns) == (marker.file_bytes, marker.file_mtime_ns)
        return same_file and self.wal_length() >= marker.wal_bytes

    def wal_length(self) -> int:
        """Bytes of the write-ahead file, 0 without one."""
        try:
            return self.wal.stat().st_size
        except FileNotFoundError:
            return 0

    def truncate_wal(self, length: int) -> None:
        """Cut the write-ahead file to its agreed part. Every connection must be closed."""
        if self.wal.exists():
            os.truncate(self.wal, length)
        self._remove_index()

    @contextmanager
    def scratch(self) -> Generator[Path]:
        """A folder for files that are being made, on the file system of the copy; removed at the end of the block."""
        self._scratch.mkdir(exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            yield Path(folder)

    def adopt(self, database: Path) -> None:
        """Take a finished file of the same file system as the main file. The copy before must be gone."""
        database.replace(self.database)

    def apply(self, pages: Iterable[tuple[int, bytes]], page_bytes: int, database_pages: int) -> None:
        """Write pages into the main file and give it its new size. Every connection must be closed, no WAL left."""
        write_pages(self.database, pages, page_bytes, database_pages)

    def clear(self) -> None:
        """Remove the copy, for a rebuild."""
        for path in (self.database, self.wal):
            path.unlink(missing_ok=True)
        self._remove_index()

    def keep_edit(self, stamp: str) -> Path:
        """Copy the files aside before a rebuild that would discard somebody's change; the newest few are kept."""
        kept = self.path / "kept"
        kept.mkdir(exist_ok=True)
        target = kept / f"{stamp.replace(':', '')}.sqlite"
        shutil.copyfile(self.database, target)
        if self.wal.exists():
            shutil.copyfile(self.wal, target.with_name(target.name + "-wal"))
        for old in sorted(kept.glob("*.sqlite"))[:-MAX_KEPT_EDITS]:
            old.unlink()
            old.with_name(old.name + "-wal").unlink(missing_ok=True)
        return target

    def _remove_index(self) -> None:
        self.path.joinpath("vault.sqlite-shm").unlink(missing_ok=True)


def write_pages(path: Path, pages: Iterable[tuple[int, bytes]], page_bytes: int, database_pages: int) -> None:
    """Write pages into a database file, made if need be, and give it its new size. Nobody may have it open.

    pages: numbers and images, of which a quarter of a megabyte is held at once.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        start, run = 0, bytearray()
        for number, page in pages:
            offset = (number - 1) * page_bytes
            if offset != start + len(run) or len(run) >= _RUN_BYTES:
                _write_at(descriptor, run, start)
                start, run = offset, bytearray()
            run += page
        _write_at(descriptor, run, start)
        os.ftruncate(descriptor, database_pages * page_bytes)
    finally:
        os.close(descriptor)


def _write_at(descriptor: int, run: bytearray, start: int) -> None:
    rest = memoryview(run)
    while rest:
        written = os.pwrite(descriptor, rest, start)
        rest, start = rest[written:], start + written


def _claim(folder: Path) -> tuple[Path, int]:
    """The first slot nobody holds, created if need be, with its lock."""
    for slot in range(MAX_SLOTS):
        path = folder / str(slot)
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        return path, descriptor
    raise Unavailable(f"{MAX_SLOTS} processes hold {folder.name} open already; close some", retry_after_s=5)
