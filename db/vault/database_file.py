"""The database file of a vault at one commit, made page by page. Knows the log and files; not SQLite or connections.

Nothing here holds more than a few megabytes, however large the file. What is being made is a file of its own; nobody
may trust it before the call that makes it has returned.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

from db.log.commit_log import LISTINGS, NOTHING, CommitLog, LogObject
from db.log.ltx import TXID, LtxHeader
from db.log.ltx_stream import CHUNK_BYTES, LtxWriter
from db.log.pages import changed_pages, file_page_size, file_pages
from db.stores.base import ObjectMissing
from db.vault.cache import write_pages


def write_database(
    log: CommitLog, path: Path, *, upto: TXID | None = None, chosen: Callable[[TXID], object] = int
) -> LtxHeader:
    """Make the file at a commit (None: the newest) from the log, in place of what is there; that commit's header.

    chosen: told the TXID that is aimed at before anything is fetched. Raises NotFound when the log does not stop at
    `upto`, CorruptLog.
    """
    header = _follow(log, path, NOTHING, upto, chosen)
    if header is None:
        raise AssertionError("an empty log has no chain")
    return header


def bring_forward(log: CommitLog, path: Path, base: TXID, upto: TXID) -> None:
    """Bring the file, which stands at the commit `base`, to a later one. Raises as `write_database`."""
    _follow(log, path, base, upto, int)


def _follow(
    log: CommitLog, path: Path, base: TXID, upto: TXID | None, chosen: Callable[[TXID], object]
) -> LtxHeader | None:
    for _ in range(LISTINGS - 1):
        with suppress(ObjectMissing):  # Pruned after it was listed: what replaced it is in the next listing.
            return _write_chain(log, path, base, upto, chosen)
    return _write_chain(log, path, base, upto, chosen)


def _write_chain(
    log: CommitLog, path: Path, base: TXID, upto: TXID | None, chosen: Callable[[TXID], object]
) -> LtxHeader | None:
    objects = log.chain(base=base, upto=upto)
    if objects:
        chosen(objects[-1].max_txid)
    if base == NOTHING:
        # No object holds the page that SQLite locks: it must not keep what was there before.
        path.unlink(missing_ok=True)
    header: LtxHeader | None = None
    for reader in log.open_each(objects):
        header = reader.header
        write_pages(path, reader.pages(), header.page_bytes, header.database_pages)
    return header


def database_pages(database: Path) -> tuple[int, int]:
    """Bytes per page and number of pages of a database file. Raises Invalid when it is none."""
    size = file_page_size(database)
    return size, database.stat().st_size // size


def encode_database(database: Path, header: LtxHeader, out: Path) -> int:
    """Write every page of a database file to the file `out` as LTX; its length."""
    return _encode(file_pages(database), header, out)


def encode_difference(old: Path, new: Path, header: LtxHeader, out: Path) -> bool:
    """Write the pages by which the file `new` differs from `old` to `out` as LTX; whether there are any."""
    pages = changed_pages(old, new)
    first = next(pages, None)
    if first is None:
        return False
    _encode(chain((first,), pages), header, out)
    return True


def encode_range(log: CommitLog, commits: Sequence[LogObject], out: Path) -> LtxHeader:
    """Write commits that follow each other as one file of the last image of each page; its header.

    Raises ObjectMissing when one of them was pruned.
    """
    scratch = out.with_suffix(".pages")
    present, header = bytearray(), None
    for reader in log.open_each(commits):
        header = reader.header
        present = present.ljust(header.database_pages + 1, b"\0")
        write_pages(scratch, _noted(reader.pages(), present), header.page_bytes, header.database_pages)
    if header is None:
        raise AssertionError("a range has at least one commit")
    header = replace(header, min_txid=commits[0].min_txid)
    kept = (number for number in range(1, header.database_pages + 1) if present[number])
    _encode(_pages_of(scratch, kept, header.page_bytes), header, out)
    return header


def _noted(pages: Iterable[tuple[int, bytes]], present: bytearray) -> Iterator[tuple[int, bytes]]:
    for number, page in pages:
        present[number] = 1
        yield number, page


def _pages_of(database: Path, numbers: Iterable[int], size: int) -> Iterator[tuple[int, bytes]]:
    with database.open("rb") as file:
        for number in numbers:
            file.seek((number - 1) * size)
            yield number, file.read(size)


def _encode(pages: Iterable[tuple[int, bytes]], header: LtxHeader, out: Path) -> int:
    with out.open("wb", buffering=CHUNK_BYTES) as file, LtxWriter(file, header) as writer:
        for number, page in pages:
            writer.add(number, page)
        return writer.finish()
