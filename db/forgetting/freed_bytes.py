"""Overwriting what is free in a database file: what was deleted or changed lingers there until a page is used again.

Every byte that belongs to no row, index entry or list is set to zero; nothing moves, so row ids stay, which VACUUM may
renumber. Knows SQLite's file format; not rows, vaults or the log. Source: sqlite.org/fileformat2.html.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

_HEADER_BYTES = 100
_TABLE_LEAF, _TABLE_INNER, _INDEX_LEAF, _INDEX_INNER = 0x0D, 0x05, 0x0A, 0x02
_INNER = frozenset({_TABLE_INNER, _INDEX_INNER})
_KINDS = _INNER | {_TABLE_LEAF, _INDEX_LEAF}


def overwrite_freed_bytes(database: Path, roots: Iterable[int]) -> int:
    """Zero what is free in the file, in place; how many pages changed.

    roots: first pages of its tables and indexes, that of the schema, 1, aside. Nobody may have the file open; it has no
    journal. Files with auto-vacuum are not made here. Raises ValueError for a page that is none of a table or index.
    """
    with database.open("r+b") as file:
        pages = _Pages(file)
        waiting = [1, *roots]
        while waiting:
            waiting += pages.clean_tree_page(waiting.pop())
        pages.clean_free_list()
        return pages.changed


class _Pages:
    """The pages of one file. changed: how many were written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.header = file.read(_HEADER_BYTES)
        size = int.from_bytes(self.header[16:18], "big")
        self._size = 65536 if size == 1 else size
        self._usable = self._size - self.header[20]
        self.changed = 0

    def clean_tree_page(self, number: int) -> list[int]:
        """Zero what is free in a page of a table or index, and in the ends of its overflow; the pages below it."""
        page = self._read(number)
        at = _HEADER_BYTES if number == 1 else 0
        kind = page[at]
        if kind not in _KINDS:
            raise ValueError(f"page {number} is no page of a table or index: type {kind}")
        cells = [_u16(page, at + _header_size(kind) + 2 * n) for n in range(_u16(page, at + 3))]
        used = [(0, at + _header_size(kind) + 2 * len(cells)), (self._usable, self._size)]
        used += _free_blocks(page, at)
        below: list[int] = [_u32(page, at + 8)] if kind in _INNER else []
        for cell in cells:
            if kind in _INNER:
                below.append(_u32(page, cell))
            end, overflow, length = self._cell(page, kind, cell)
            used.append((cell, end))
            if overflow:
                self._clean_overflow(overflow, length)
        self._keep_only(number, page, used)
        return below

    def clean_free_list(self) -> None:
        """Zero the pages of the free list but for the list itself."""
        trunk = _u32(self.header, 32)
        while trunk:
            page = self._read(trunk)
            leaves = [_u32(page, 8 + 4 * n) for n in range(_u32(page, 4))]
            self._keep_only(trunk, page, [(0, 8 + 4 * len(leaves))])
            for leaf in leaves:
                self._keep_only(leaf, self._read(leaf), [])
            trunk = _u32(page, 0)

    def _cell(self, page: bytes, kind: int, start: int) -> tuple[int, int, int]:
        """Where the cell ends, the first page of its overflow or 0, and how many bytes lie there."""
        at = start + 4 if kind in _INNER else start
        size, at = _varint(page, at)
        if kind == _TABLE_INNER:
            return at, 0, 0
        if kind == _TABLE_LEAF:
            _, at = _varint(page, at)
        local = self._local_bytes(kind, size)
        if local == size:
            # A cell takes four bytes at least, so that a free block fits in its place.
            return max(at + size, start + 4), 0, 0
        return at + local + 4, _u32(page, at + local), size - local

    def _local_bytes(self, kind: int, size: int) -> int:
        """How much of a record of that size lies in the page itself."""
        usable = self._usable
        most = usable - 35 if kind == _TABLE_LEAF else (usable - 12) * 64 // 255 - 23
        if size <= most:
            return size
        least = (usable - 12) * 32 // 255 - 23
        wanted = least + (size - least) % (usable - 4)
        return wanted if wanted <= most else least

    def _clean_overflow(self, number: int, length: int) -> None:
        while number:
            page = self._read(number)
            here = min(length, self._usable - 4)
            self._keep_only(number, page, [(0, 4 + here), (self._usable, self._size)])
            length -= here
            number = _u32(page, 0)

    def _keep_only(self, number: int, page: bytes, used: Iterable[tuple[int, int]]) -> None:
        """Zero the page outside of these stretches; it is written if that changes it."""
        clean = bytearray(len(page))
        for start, end in used:
            clean[start:end] = page[start:end]
        if bytes(clean) != page:
            self._file.seek((number - 1) * self._size)
            self._file.write(clean)
            self.changed += 1

    def _read(self, number: int) -> bytes:
        self._file.seek((number - 1) * self._size)
        return self._file.read(self._size)


def _header_size(kind: int) -> int:
    return 12 if kind in _INNER else 8


def _free_blocks(page: bytes, at: int) -> Iterator[tuple[int, int]]:
    """The heads of the chain of free blocks, which stays: four bytes each."""
    block = _u16(page, at + 1)
    while block:
        yield block, block + 4
        block = _u16(page, block)


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _varint(page: bytes, position: int) -> tuple[int, int]:
    """The number that begins there and where it ends."""
    value = 0
    for at in range(position, position + 8):
        value = value << 7 | page[at] & 0x7F
        if page[at] < 0x80:
            return value, at + 1
    return value << 8 | page[position + 8], position + 9
