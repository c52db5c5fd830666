"""Database files as pages: read the header, cut, compare. Knows bytes; not where they come from."""

from collections.abc import Iterator
from pathlib import Path

from db.errors import Invalid
from db.log.ltx import lock_page

_SIZE_OFFSET = 16
_HEADER_BYTES = 100
# A whole number of pages of every size.
_CHUNK_BYTES = 1 << 20


def page_size(database: bytes) -> int:
    """Bytes per page, from the first 100 bytes of a SQLite file. Raises Invalid when it is none."""
    if database[:16] != b"SQLite format 3\x00":
        raise Invalid("got bytes that are no SQLite database file", code="not_a_database")
    size = int.from_bytes(database[_SIZE_OFFSET : _SIZE_OFFSET + 2], "big")
    return 65536 if size == 1 else size


def file_page_size(database: Path) -> int:
    """As `page_size`, of a file."""
    with database.open("rb") as file:
        return page_size(file.read(_HEADER_BYTES))


def cut_pages(database: bytes) -> dict[int, bytes]:
    """Every page by its number, from 1, without the one that SQLite locks and never writes."""
    size = page_size(database)
    pages = {start // size + 1: database[start : start + size] for start in range(0, len(database), size)}
    pages.pop(lock_page(size), None)
    return pages


def file_pages(database: Path) -> Iterator[tuple[int, bytes]]:
    """As `cut_pages`, of a file: number and page, a megabyte of them in memory at once."""
    size = file_page_size(database)
    lock = lock_page(size)
    first = 1
    with database.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            for number, start in enumerate(range(0, len(chunk), size), first):
                if number != lock:
                    yield number, chunk[start : start + size]
            first += _CHUNK_BYTES // size


def changed_pages(old: Path, new: Path) -> Iterator[tuple[int, bytes]]:
    """The pages of the file `new` that differ from `old`, ascending, a megabyte of each in memory at once.

    Page 1 is among them whenever the length differs, for it holds the length. Raises Invalid for another page size.
    """
    size = file_page_size(new)
    wanted = file_page_size(old)
    if wanted != size:
        raise Invalid(f"got pages of {size} bytes, wanted {wanted} as in the vault", code="page_size_differs")
    lock = lock_page(size)
    resized = old.stat().st_size != new.stat().st_size
    first = 1
    with old.open("rb") as before, new.open("rb") as after:
        while chunk := after.read(_CHUNK_BYTES):
            past = before.read(_CHUNK_BYTES)
            if past != chunk or first == 1:
                for number, start in enumerate(range(0, len(chunk), size), first):
                    page = chunk[start : start + size]
                    if number != lock and (page != past[start : start + size] or (number == 1 and resized)):
                        yield number, page
            first += _CHUNK_BYTES // size
