"""LTX files page by page, so that memory does not grow with them. Knows the format; no store, vault or WAL.

What `db.ltx` does at once for a commit of ordinary size, this does for files of any size, with the same bytes and the
same checks. A reader can compare the file checksum at the end only: pages taken before are not to be trusted.
"""

import hashlib
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

from fastcrc.crc64 import go_iso

from db.errors import CorruptLog
from db.log.ltx import (
    CHECKSUM_FLAG,
    END_OF_FRAMES,
    FRAME,
    FRAME_HAS_SIZE,
    SHORTEST,
    TRAILER,
    U64,
    LtxHeader,
    check_header,
    compress_page,
    corrupt,
    decompress_page,
    lock_page,
    pack_header,
    page_index,
    read_header,
)

CHUNK_BYTES = 1 << 20
# LZ4 leaves a page that does not compress as it is, with one byte more for every 255.
_LARGEST_EXCESS = 255
_EXCESS_BYTES = 16


class LtxWriter:
    """Writes one file to `out`, which is left open. Call `add` for every page, in ascending order, then `finish`.

    The page index, some ten bytes for each page, waits in a temporary file once it exceeds a megabyte: leave the
    writer's `with` block to remove that.
    """

    def __init__(self, out: BinaryIO, header: LtxHeader) -> None:
        """Write the header. Raises CorruptLog for one that a reader would refuse."""
        check_header(header)
        head = pack_header(header)
        self._out = out
        self._page_bytes = header.page_bytes
        self._order = _PageOrder(header)
        self._index = tempfile.SpooledTemporaryFile(max_size=CHUNK_BYTES)  # noqa: SIM115 - closed by `__exit__`
        self._checksum = go_iso(head)
        self._offset = len(head)
        out.write(head)

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what waited; a file that was not finished is of no use."""
        self._index.close()

    def add(self, number: int, page: bytes | memoryview) -> None:
        """Write one page. Raises CorruptLog when a reader would refuse it."""
        if len(page) != self._page_bytes:
            raise corrupt("page length", f"got {len(page)} bytes for page {number}, wanted {self._page_bytes}")
        self._order.take(number)
        block = compress_page(page, store_size=False)
        frame = FRAME.pack(number, FRAME_HAS_SIZE, len(block))
        self._out.write(frame)
        self._out.write(block)
        self._checksum = go_iso(page, go_iso(frame, self._checksum))
        size = len(frame) + len(block)
        self._index.write(_index_entry(number, self._offset, size))
        self._offset += size

    def finish(self) -> int:
        """Write what follows the pages; the length of the whole file. Raises CorruptLog for a snapshot with gaps."""
        self._order.finish()
        self._index.write(b"\0")
        index_bytes = self._index.tell()
        self._index.seek(0)
        self._write_tail(END_OF_FRAMES)
        while chunk := self._index.read(CHUNK_BYTES):
            self._write_tail(chunk)
        # the zeros are the database checksum, which our flag says is not kept
        self._write_tail(U64.pack(index_bytes) + bytes(8))
        self._out.write(U64.pack(self._checksum | CHECKSUM_FLAG))
        return self._offset + U64.size

    def _write_tail(self, part: bytes) -> None:
        self._out.write(part)
        self._checksum = go_iso(part, self._checksum)
        self._offset += len(part)


class LtxReader:
    """Reads one file from its bytes in chunks of any size. header: read and checked at once.

    size: of the whole file. name: put before the message of every error.
    """

    def __init__(self, chunks: Iterable[bytes], size: int, name: str = "") -> None:
        """Read the header. Raises CorruptLog."""
        self._name = name
        self._size = size
        self._bytes = _Bytes(chunks)
        with _named(name):
            self.header = read_header(self._bytes.peek(SHORTEST))

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """Page numbers and images, ascending, once. To be trusted when the iteration ended without an error.

        Raises CorruptLog, and what the chunks raise.
        """
        with _named(self._name):
            yield from self._pages()

    def _pages(self) -> Iterator[tuple[int, bytes]]:
        source, page_bytes = self._bytes, self.header.page_bytes
        order = _PageOrder(self.header)
        largest = page_bytes + page_bytes // _LARGEST_EXCESS + _EXCESS_BYTES
        head = source.take(len(pack_header(self.header)))
        checksum, offset = go_iso(head), len(head)
        index_digest, index_bytes = hashlib.sha256(), 1
        while source.peek(len(END_OF_FRAMES)) != END_OF_FRAMES:
            frame = source.take(FRAME.size)
            number, flags, size = FRAME.unpack(frame)
            if flags != FRAME_HAS_SIZE:
                raise corrupt("frame flags", f"got {flags} for page {number}, wanted {FRAME_HAS_SIZE}")
            if size > largest:
                raise corrupt("frame size", f"got {size} bytes for page {number}, wanted at most {largest}")
            order.take(number)
            page = decompress_page(source.take(size), number, page_bytes)
            checksum = go_iso(page, go_iso(frame, checksum))
            entry = _index_entry(number, offset, FRAME.size + size)
            index_digest.update(entry)
            index_bytes += len(entry)
            offset += FRAME.size + size
            yield number, page
        order.finish()
        index_digest.update(b"\0")
        self._check_tail(offset, index_bytes, index_digest.digest(), checksum)

    def _check_tail(self, offset: int, index_bytes: int, index_digest: bytes, checksum: int) -> None:
        """Compare what follows the frames with what was read. offset: where it begins."""
        source = self._bytes
        expected = offset + len(END_OF_FRAMES) + index_bytes + U64.size + TRAILER.size
        if self._size != expected:
            raise corrupt("index size", f"got a file of {self._size} bytes, its frames make one of {expected}")
        checksum = go_iso(source.take(len(END_OF_FRAMES)), checksum)
        digest, left = hashlib.sha256(), index_bytes
        while left:
            part = source.take(min(left, CHUNK_BYTES))
            digest.update(part)
            checksum = go_iso(part, checksum)
            left -= len(part)
        size_field, database_checksum = source.take(U64.size), source.take(U64.size)
        if digest.digest() != index_digest or U64.unpack(size_field)[0] != index_bytes:
            raise corrupt("index", "its entries are not the frames of the file")
        if any(database_checksum):
            raise corrupt("database checksum", f"got {database_checksum.hex()}, wanted 0 under flags 2")
        wanted = go_iso(database_checksum, go_iso(size_field, checksum)) | CHECKSUM_FLAG
        stored = U64.unpack(source.take(U64.size))[0]
        if stored != wanted:
            raise corrupt("file checksum", f"got {stored:016x}, the bytes give {wanted:016x}")
        source.end()


def read_file(path: Path) -> Iterator[bytes]:
    """The bytes of a file in chunks."""
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


@contextmanager
def _named(name: str) -> Generator[None]:
    try:
        yield
    except CorruptLog as exc:
        if not name:
            raise
        raise CorruptLog(f"{name}: {exc.message}", details=exc.details) from exc


def _index_entry(number: int, offset: int, size: int) -> bytes:
    return page_index(((number, offset, size),))[:-1]


class _PageOrder:
    """Page numbers as they come: ascending, within the database, without the lock page; in a snapshot, all of them."""

    def __init__(self, header: LtxHeader) -> None:
        self._database_pages = header.database_pages
        self._lock = lock_page(header.page_bytes)
        self._whole = header.min_txid == 1
        self._last = 0
        self._count = 0

    def take(self, number: int) -> None:
        if number <= self._last and self._last:
            raise corrupt("page order", f"got page {number} after page {self._last}, wanted ascending numbers")
        if not 1 <= number <= self._database_pages:
            raise corrupt("page range", f"got page {number}, wanted 1 to {self._database_pages}")
        if number == self._lock:
            raise corrupt("lock page", f"page {number} is SQLite's lock page and is never written")
        self._last = number
        self._count += 1

    def finish(self) -> None:
        wanted = self._database_pages - (self._lock <= self._database_pages)
        if self._whole and self._count != wanted:
            found = f"got {self._count} pages of {wanted}; a file from TXID 1 holds every page"
            raise corrupt("snapshot", found)


class _Bytes:
    """A run of chunks read piece by piece; a piece that is missing says so."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = b""
        self._at = 0

    def peek(self, count: int) -> bytes:
        """The next bytes, fewer at the end."""
        missing = count - (len(self._held) - self._at)
        if missing > 0:
            parts = [self._held[self._at :]]
            while missing > 0 and (chunk := next(self._chunks, None)) is not None:
                parts.append(chunk)
                missing -= len(chunk)
            self._held, self._at = b"".join(parts), 0
        return self._held[self._at : self._at + count]

    def take(self, count: int) -> bytes:
        """The next bytes. Raises CorruptLog when there are not as many."""
        found = self.peek(count)
        if len(found) < count:
            raise corrupt("length", f"the file ends {count - len(found)} bytes before its parts do")
        self._at += count
        return found

    def end(self) -> None:
        """Raise CorruptLog when there are more bytes."""
        if self.peek(1):
            raise corrupt("length", "the file goes on after its end")
