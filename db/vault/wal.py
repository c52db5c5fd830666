"""SQLite's write-ahead log: read the frames, check them, fold them into pages. Knows bytes; not files, vaults or LTX.

A log is a 32-byte header and frames of a 24-byte header and one page image. A frame belongs to the log while its salts
are the header's and its checksum continues the one before; the first that fails ends the log, as it does for SQLite.
Whatever lies behind is left over from before a restart or a roll-back. Source: sqlite.org/fileformat2.html.
"""

import struct
from dataclasses import dataclass
from typing import Final

from db.errors import WalDamaged
from db.vault.wal_checksum import Sums, extend

HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24

_HEADER = struct.Struct(">IIII8sII")
# page number, database size in pages (0 but on a commit), salts, checksum
_FRAME = struct.Struct(">II8sII")
_CHECKSUMMED_FRAME_BYTES = 8
_MAGIC = 0x377F0682
_BIG_ENDIAN = 1
_FORMAT = 3007000
_PAGE_SIZES: Final = frozenset(1 << power for power in range(9, 17))


@dataclass(frozen=True, slots=True)
class WalHeader:
    """page_bytes: power of two, 512 to 65536. salt: 8 bytes, new at each restart of the log. checksum: of the header,
    continued by the first frame. big_endian: how checksums read words; the numbers themselves are always big-endian."""

    page_bytes: int
    salt: bytes
    checksum: Sums
    big_endian: bool

    @property
    def frame_bytes(self) -> int:
        """Length of one frame: its header and the page."""
        return FRAME_HEADER_BYTES + self.page_bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """SQLite commits folded into one.

    commits: how many they were. pages: page number to the last image, none above database_pages. database_pages: size
    after the last of them. end, checksum: where its commit frame ends in the file, and its sums; the next reading
    continues there.
    """

    pages: dict[int, bytes]
    database_pages: int
    end: int
    checksum: Sums
    commits: int


def read_header(wal: bytes) -> WalHeader:
    """The header, from the first 32 bytes or more. Raises WalDamaged, also for an empty log."""
    if len(wal) < HEADER_BYTES:
        raise WalDamaged(f"wal header: got {len(wal)} bytes, wanted {HEADER_BYTES}")
    magic, version, page_bytes, _sequence, salt, *stored = _HEADER.unpack_from(wal)
    if magic & ~_BIG_ENDIAN != _MAGIC:
        raise WalDamaged(f"wal magic: got {magic:08x}, wanted {_MAGIC:08x} or {_MAGIC | _BIG_ENDIAN:08x}")
    if version != _FORMAT:
        raise WalDamaged(f"wal format: got {version}, wanted {_FORMAT}")
    if page_bytes not in _PAGE_SIZES:
        raise WalDamaged(f"wal page size: got {page_bytes}, wanted a power of two from 512 to 65536")
    big_endian = bool(magic & _BIG_ENDIAN)
    checksum = extend((0, 0), wal[: HEADER_BYTES - 8], big_endian=big_endian)
    if list(checksum) != stored:
        raise WalDamaged(f"wal header checksum: got {stored[0]:08x} {stored[1]:08x}, the bytes give another")
    return WalHeader(page_bytes, salt, checksum, big_endian)


def read_commits(
    frames: bytes | memoryview, header: WalHeader, checksum: Sums, *, start: int = HEADER_BYTES, verify: bool = True
) -> Commit | None:
    """The commits that are whole in `frames`, folded into one; None when there is none.

    frames: the file's bytes from offset `start` on, with start at the end of the header or of an earlier commit.
    checksum: header.checksum there, or the earlier Commit.checksum. Frames behind the last commit frame are left alone.
    verify=False looks at salts and structure only: for frames this process has just written. Frames of a commit that
    was undone without truncating the file have the same salts, so it would take those for new.
    """
    committed: dict[int, memoryview] = {}
    pending: dict[int, memoryview] = {}
    database_pages, end, committed_sums, commits = 0, start, checksum, 0
    view = memoryview(frames)
    step = header.frame_bytes
    for offset in range(0, len(view) - step + 1, step):
        number, size, salt, *stored = _FRAME.unpack_from(view, offset)
        if salt != header.salt or number == 0:
            break
        page = view[offset + FRAME_HEADER_BYTES : offset + step]
        sums = (stored[0], stored[1])
        if verify and sums != _frame_checksum(checksum, view, offset, page, header.big_endian):
            break
        checksum = sums
        pending[number] = page
        if size:
            committed |= pending
            pending = {}
            database_pages, end, committed_sums = size, start + offset + step, checksum
            commits += 1
    if end == start:
        return None
    pages = {number: bytes(page) for number, page in committed.items() if number <= database_pages}
    return Commit(pages, database_pages, end, committed_sums, commits)


def _frame_checksum(before: Sums, view: memoryview, offset: int, page: memoryview, big_endian: bool) -> Sums:
    head = view[offset : offset + _CHECKSUMMED_FRAME_BYTES]
    return extend(extend(before, head, big_endian=big_endian), page, big_endian=big_endian)
