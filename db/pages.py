"""Database files as pages: read the header, cut, compare. Knows bytes; not where they come from."""

from db.errors import Invalid
from db.ltx import lock_page

_SIZE_OFFSET = 16


def page_size(database: bytes) -> int:
    """Bytes per page, from the header of a SQLite file. Raises Invalid when it is none."""
    if database[:16] != b"SQLite format 3\x00":
        raise Invalid("got bytes that are no SQLite database file", code="not_a_database")
    size = int.from_bytes(database[_SIZE_OFFSET : _SIZE_OFFSET + 2], "big")
    return 65536 if size == 1 else size


def cut_pages(database: bytes) -> dict[int, bytes]:
    """Every page by its number, from 1, without the one that SQLite locks and never writes."""
    size = page_size(database)
    pages = {start // size + 1: database[start : start + size] for start in range(0, len(database), size)}
    pages.pop(lock_page(size), None)
    return pages


def changed_pages(old: bytes, new: bytes) -> tuple[dict[int, bytes], int, int]:
    """The pages of `new` that differ from `old`, the page size, and the number of pages of `new`.

    Page 1 is among them whenever the length differs, for it holds the length. Raises Invalid for another page size.
    """
    size = page_size(new)
    if page_size(old) != size:
        raise Invalid(f"got pages of {size} bytes, wanted {page_size(old)} as in the vault", code="page_size_differs")
    before = cut_pages(old)
    changed = {number: page for number, page in cut_pages(new).items() if before.get(number) != page}
    if not changed and len(old) != len(new):
        changed[1] = new[:size]
    return changed, size, len(new) // size
