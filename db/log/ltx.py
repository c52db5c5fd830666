"""The log's file format, LTX version 3: pages in, bytes out, and back with every check. Knows no store, vault or WAL.

All integers are big-endian. A file is a 100-byte header, the page frames in ascending order, six zero bytes, the page
index, its size, and a 16-byte trailer. Source: github.com/superfly/ltx; the files are those of Litestream 0.5.
"""

import re
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NewType, cast

import lz4.block
from fastcrc.crc64 import go_iso

from db.errors import CorruptLog

TXID = NewType("TXID", int)
PageNo = NewType("PageNo", int)

_MAGIC = b"LTX1"
_NO_DATABASE_CHECKSUM = 2
FRAME_HAS_SIZE = 1
# magic, flags, page size, database pages, min and max TXID, timestamp, pre-apply checksum (zero under our flag),
# WAL offset, WAL size, WAL salts, node id, 20 reserved bytes
_HEADER = struct.Struct(">4sIIIQQqQqqIIQ20x")
FRAME = struct.Struct(">IHI")
U64 = struct.Struct(">Q")
END_OF_FRAMES = bytes(6)
TRAILER = struct.Struct(">QQ")
CHECKSUM_FLAG = 1 << 63
SHORTEST = _HEADER.size + len(END_OF_FRAMES) + 1 + U64.size + TRAILER.size
_LOCK_OFFSET = 0x40000000
_PAGE_SIZES: Final = frozenset(1 << power for power in range(9, 17))
# lz4 comes without types: these say what it gives.
compress_page = cast("Callable[..., bytes]", lz4.block.compress)
_decompress = cast("Callable[..., bytes]", lz4.block.decompress)
_BlockError = cast("type[Exception]", lz4.block.LZ4BlockError)
_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.ltx")


@dataclass(frozen=True, slots=True)
class LtxHeader:
    """What a file says about itself.

    page_bytes: power of two, 512 to 65536. database_pages: size of the database afterwards, in pages.
    min_txid, max_txid: the commits folded in; min 1 means a snapshot, which holds every page. timestamp_ms: since 1970.
    """

    page_bytes: int
    database_pages: int
    min_txid: TXID
    max_txid: TXID
    timestamp_ms: int
    # A fresh random nonce for each attempt to commit: two writers can then never produce equal bytes, and that is what
    # lets a writer whose put had no answer read the object back, compare, and know whether it is its own.
    node_id: int = 0


@dataclass(frozen=True, slots=True)
class LtxFile:
    """One decoded file. pages: page number to page image, ascending."""

    header: LtxHeader
    pages: dict[int, bytes]


def lock_page(page_bytes: int) -> PageNo:
    """The page that holds byte 0x40000000, which SQLite locks and never writes; no file contains it."""
    return PageNo(_LOCK_OFFSET // page_bytes + 1)


def encode(header: LtxHeader, pages: Mapping[int, bytes]) -> bytes:
    """The file's bytes. pages: page number to an image of exactly header.page_bytes, in any order; no lock page.

    Raises CorruptLog when a reader would refuse the result, so that nothing unreadable enters a log.
    """
    check_header(header)
    numbers = sorted(pages)
    _check_pages(header, numbers)
    head = pack_header(header)
    parts = [head]
    entries: list[tuple[int, int, int]] = []
    checksum, offset = go_iso(head), len(head)
    for number in numbers:
        page = pages[number]
        if len(page) != header.page_bytes:
            raise corrupt("page length", f"got {len(page)} bytes for page {number}, wanted {header.page_bytes}")
        block = compress_page(page, store_size=False)
        frame = FRAME.pack(number, FRAME_HAS_SIZE, len(block))
        parts += (frame, block)
        checksum = go_iso(page, go_iso(frame, checksum))
        size = len(frame) + len(block)
        entries.append((number, offset, size))
        offset += size
    index = page_index(entries)
    # the last zeros are the database checksum, which our flag says is not kept
    tail = b"".join((END_OF_FRAMES, index, U64.pack(len(index)), bytes(8)))
    parts += (tail, U64.pack(go_iso(tail, checksum) | CHECKSUM_FLAG))
    return b"".join(parts)


def pack_header(header: LtxHeader) -> bytes:
    """The first 100 bytes of the file."""
    return _HEADER.pack(
        _MAGIC,
        _NO_DATABASE_CHECKSUM,
        header.page_bytes,
        header.database_pages,
        header.min_txid,
        header.max_txid,
        header.timestamp_ms,
        *(0, 0, 0, 0, 0),
        header.node_id,
    )


def decode(body: bytes) -> LtxFile:
    """The header and pages of a whole file. Raises CorruptLog, whose message starts with the check that failed."""
    header = read_header(body)
    size_at = len(body) - TRAILER.size - U64.size
    index_at = size_at - U64.unpack_from(body, size_at)[0]
    if index_at < _HEADER.size + len(END_OF_FRAMES):
        raise corrupt("index size", f"got {size_at - index_at} bytes in a file of {len(body)}")
    pages, entries, checksum, end = _decode_frames(body, header, index_at - len(END_OF_FRAMES))
    if body[end:index_at] != END_OF_FRAMES:
        raise corrupt("end of frames", f"got {body[end:index_at].hex()} at byte {end}, wanted six zero bytes")
    if body[index_at:size_at] != page_index(entries):
        raise corrupt("index", "its entries are not the frames of the file")
    database_checksum, stored = TRAILER.unpack_from(body, len(body) - TRAILER.size)
    if database_checksum:
        raise corrupt("database checksum", f"got {database_checksum:016x}, wanted 0 under flags 2")
    wanted = go_iso(memoryview(body)[end:-8], checksum) | CHECKSUM_FLAG
    if stored != wanted:
        raise corrupt("file checksum", f"got {stored:016x}, the bytes give {wanted:016x}")
    return LtxFile(header, pages)


def read_header(body: bytes) -> LtxHeader:
    """The header alone, checked by itself; the rest of the file is not looked at. Raises CorruptLog."""
    if len(body) < SHORTEST:
        raise corrupt("length", f"got {len(body)} bytes, the shortest file has {SHORTEST}")
    magic, flags, page_bytes, database_pages, low, high, timestamp_ms, before, *_, node_id = _HEADER.unpack_from(body)
    if magic != _MAGIC:
        raise corrupt("magic", f"got {magic!r}, wanted {_MAGIC!r}")
    if flags != _NO_DATABASE_CHECKSUM:
        raise corrupt("header flags", f"got {flags}, wanted {_NO_DATABASE_CHECKSUM} (no database checksum)")
    if before:
        raise corrupt("pre-apply checksum", f"got {before:016x}, wanted 0 under flags 2")
    header = LtxHeader(page_bytes, database_pages, TXID(low), TXID(high), timestamp_ms, node_id)
    check_header(header)
    return header


def file_checksum(body: bytes) -> int:
    """The checksum stored in the trailer, 64 bits with the highest set; `decode` compares it. Raises CorruptLog."""
    if len(body) < SHORTEST:
        raise corrupt("length", f"got {len(body)} bytes, the shortest file has {SHORTEST}")
    checksum: int = U64.unpack_from(body, len(body) - U64.size)[0]
    return checksum


def object_name(min_txid: int, max_txid: int) -> str:
    """The last part of the object's key: `0000000000000001-0000000000000001.ltx`."""
    return f"{min_txid:016x}-{max_txid:016x}.ltx"


def parse_name(name: str) -> tuple[TXID, TXID] | None:
    """First and last TXID of an object by the last part of its key, or None when it is no log object."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    low, high = int(match[1], 16), int(match[2], 16)
    return (TXID(low), TXID(high)) if 1 <= low <= high else None


def _decode_frames(
    body: bytes, header: LtxHeader, limit: int
) -> tuple[dict[int, bytes], list[tuple[int, int, int]], int, int]:
    """Pages, index entries, checksum so far, and where the frames end. limit: the byte at which they have to."""
    pages: dict[int, bytes] = {}
    entries: list[tuple[int, int, int]] = []
    view = memoryview(body)
    checksum, offset = go_iso(view[: _HEADER.size]), _HEADER.size
    while offset + FRAME.size <= limit:
        number, flags, size = FRAME.unpack_from(body, offset)
        if number == 0:
            break
        if flags != FRAME_HAS_SIZE:
            raise corrupt("frame flags", f"got {flags} for page {number}, wanted {FRAME_HAS_SIZE}")
        start = offset + FRAME.size
        end = start + size
        if end > limit:
            raise corrupt("frame size", f"page {number} ends at byte {end}, the frames at {limit}")
        page = decompress_page(view[start:end], number, header.page_bytes)
        pages[number] = page
        checksum = go_iso(page, go_iso(view[offset:start], checksum))
        entries.append((number, offset, end - offset))
        offset = end
    _check_pages(header, [entry[0] for entry in entries])
    return pages, entries, checksum, offset


def decompress_page(block: bytes | memoryview, number: int, page_bytes: int) -> bytes:
    """The page image in a frame's LZ4 block. number: for the message. Raises CorruptLog."""
    try:
        page = _decompress(block, uncompressed_size=page_bytes)
    except _BlockError as exc:
        raise corrupt("page compression", f"page {number}: {exc}") from exc
    if len(page) != page_bytes:
        raise corrupt("page length", f"got {len(page)} bytes for page {number}, wanted {page_bytes}")
    return page


def check_header(header: LtxHeader) -> None:
    """Raise CorruptLog for a header that no file may have."""
    if header.page_bytes not in _PAGE_SIZES:
        raise corrupt("page size", f"got {header.page_bytes}, wanted a power of two from 512 to 65536")
    if not 1 <= header.database_pages <= 0xFFFFFFFE:
        raise corrupt("database size", f"got {header.database_pages} pages, wanted 1 to 4294967294")
    if not 1 <= header.min_txid <= header.max_txid:
        raise corrupt("TXID order", f"got {header.min_txid} to {header.max_txid}, wanted 1 <= min <= max")


def _check_pages(header: LtxHeader, numbers: list[int]) -> None:
    """Ascending, within the database, without the lock page; in a snapshot, all of them."""
    for lower, higher in pairwise(numbers):
        if lower >= higher:
            raise corrupt("page order", f"got page {higher} after page {lower}, wanted ascending numbers")
    if numbers and not 1 <= numbers[0] <= numbers[-1] <= header.database_pages:
        raise corrupt("page range", f"got {numbers[0]} to {numbers[-1]}, wanted 1 to {header.database_pages}")
    lock = lock_page(header.page_bytes)
    if header.min_txid == 1:
        wanted = header.database_pages - (lock <= header.database_pages)
        if len(numbers) != wanted:
            raise corrupt("snapshot", f"got {len(numbers)} pages of {wanted}; a file from TXID 1 holds every page")
    if lock <= header.database_pages and lock in numbers:
        raise corrupt("lock page", f"page {lock} is SQLite's lock page and is never written")


def page_index(entries: Iterable[tuple[int, int, int]]) -> bytes:
    """Page number, offset and frame size of each frame as unsigned varints, low seven bits first; then a zero."""
    index = bytearray()
    for entry in entries:
        for number in entry:
            value = number
            while value > 0x7F:
                index.append(value & 0x7F | 0x80)
                value >>= 7
            index.append(value)
    index.append(0)
    return bytes(index)


def corrupt(check: str, found: str) -> CorruptLog:
    """The error of a check that failed. found: what was got and what was wanted."""
    return CorruptLog(f"ltx {check}: {found}", details=check)
