"""The newest audit row that a set of database pages carries. Knows SQLite's table leaves and one table's record shape.

A commit that writes audit rows rewrites the leaf they were appended to, so its own pages say how far the audit log had
come. That is how a commit is joined with its audit rows without a word about it in either. Source:
sqlite.org/fileformat2.html, B-tree pages and record format.
"""

from collections.abc import Iterable

_TABLE_LEAF = 0x0D
_LEAF_HEADER_BYTES = 8
# What a row of vaultry_audit looks like: seq is the rowid and stored as NULL, `at` is text of 24 bytes, then texts,
# the two values may be NULL, and mac is 32 bytes. Text of n bytes has the serial type 13 + 2n, bytes 12 + 2n.
_COLUMNS = 12
_NULL = 0
_AT = 13 + 2 * 24
_TEXTS = range(2, 9)
_VALUES = range(9, 11)
_MAC = 12 + 2 * 32
_AT_BYTES = 24


def newest_audit_rows(pages: Iterable[bytes]) -> list[tuple[int, str]]:
    """The last row of each page that is a leaf of the audit log, as (seq, at), the highest seq first.

    A page of another table with rows of the very same shape is taken for one too: compare `at` with the audit log.
    """
    found = (_last_row(page) for page in pages if page[0] == _TABLE_LEAF)
    return sorted((row for row in found if row is not None), reverse=True)


def _last_row(page: bytes) -> tuple[int, str] | None:
    """seq and at of the leaf's last row, or None when it is no row of the audit log."""
    count = int.from_bytes(page[3:5], "big")
    pointer = _LEAF_HEADER_BYTES + 2 * (count - 1)
    if not count or pointer + 2 > len(page):
        return None
    try:
        _, at = _varint(page, int.from_bytes(page[pointer : pointer + 2], "big"))
        seq, start = _varint(page, at)
        types, body = _serial_types(page, start)
    except IndexError:
        return None
    if not _is_audit(types):
        return None
    text = page[body : body + _AT_BYTES]
    return (seq, text.decode()) if len(text) == _AT_BYTES and text.isascii() else None


def _serial_types(page: bytes, start: int) -> tuple[list[int], int]:
    """The serial types of the record at `start`, at most one more than ours has, and where its values begin."""
    size, position = _varint(page, start)
    types: list[int] = []
    while position < start + size and len(types) <= _COLUMNS:
        kind, position = _varint(page, position)
        types.append(kind)
    return types, start + size


def _is_audit(types: list[int]) -> bool:
    return (
        len(types) == _COLUMNS
        and (types[0], types[1], types[-1]) == (_NULL, _AT, _MAC)
        and all(_is_text(types[place]) for place in _TEXTS)
        and all(types[place] == _NULL or _is_text(types[place]) for place in _VALUES)
    )


def _is_text(kind: int) -> bool:
    return kind >= 13 and kind % 2 == 1


def _varint(page: bytes, position: int) -> tuple[int, int]:
    """The number that begins there and where it ends: seven bits a byte, high ones first, the ninth byte whole."""
    value = 0
    for at in range(position, position + 8):
        value = value << 7 | page[at] & 0x7F
        if page[at] < 0x80:
            return value, at + 1
    return value << 8 | page[position + 8], position + 9
