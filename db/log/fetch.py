"""Objects of a log fetched in order, several requests at a time, a bounded part of them in memory at once.

Knows objects and their parts; not what is in them.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final

from db.errors import StoreUnavailable
from db.stores.base import ObjectStore

PART_BYTES: Final = 1 << 20
# As many as a log has loose commits before a snapshot is due, more or less: the next ones wait a round trip.
_REQUESTS = 64
BYTES_AHEAD: Final = 8 << 20
_ATTEMPTS = 3
FETCHERS = ThreadPoolExecutor(max_workers=_REQUESTS, thread_name_prefix="log-fetch")


class CutShort(StoreUnavailable):
    """Fewer bytes came than there should be, each time they were asked for."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What one request asks for. whole: the part is the object. count: bytes."""

    key: str
    start: int
    count: int
    whole: bool


def fetch_each(
    store: ObjectStore, objects: Sequence[tuple[str, int]], bytes_ahead: int = BYTES_AHEAD
) -> Generator[Iterator[bytes]]:
    """The content of each object in the given order, as chunks of at most a megabyte.

    objects: keys and sizes. At most 64 requests and `bytes_ahead` bytes are under way or wait to be taken. Each content
    must be taken to its end before the next. Raises ObjectMissing, StoreUnavailable (also for an answer cut short).
    """
    bodies = _fetch_ahead(store, (part for key, size in objects for part in _parts(key, size)), bytes_ahead)
    try:
        for key, size in objects:
            yield islice(bodies, sum(1 for _ in _parts(key, size)))
    finally:
        bodies.close()


def fetch_range(store: ObjectStore, key: str, start: int, count: int) -> Generator[bytes]:
    """`count` bytes of one object from byte `start` on, as `fetch_each` gives them; it must have as many."""
    ends = range(start, start + count, PART_BYTES)
    parts = (_Part(key, first, min(PART_BYTES, start + count - first), whole=False) for first in ends)
    return _fetch_ahead(store, parts, BYTES_AHEAD)


def _parts(key: str, size: int) -> Iterator[_Part]:
    if size <= PART_BYTES:
        yield _Part(key, 0, size, whole=True)
        return
    for start in range(0, size, PART_BYTES):
        yield _Part(key, start, min(PART_BYTES, size - start), whole=False)


def _fetch_ahead(store: ObjectStore, parts: Iterable[_Part], bytes_ahead: int) -> Generator[bytes]:
    under_way: deque[tuple[Future[bytes], int]] = deque()
    ahead, rest = 0, iter(parts)
    following = next(rest, None)
    try:
        while following is not None or under_way:
            while following is not None and len(under_way) < _REQUESTS and ahead + following.count <= bytes_ahead:
                under_way.append((FETCHERS.submit(_fetch, store, following), following.count))
                ahead += following.count
                following = next(rest, None)
            future, count = under_way.popleft()
            yield future.result()
            ahead -= count
    finally:
        for future, _ in under_way:
            future.cancel()


def _fetch(store: ObjectStore, part: _Part) -> bytes:
    """The part; asked for again when fewer bytes come than the listing promised."""
    body = b""
    for _ in range(_ATTEMPTS):
        if part.whole:
            body = store.get(part.key, op="log:get")
        else:
            body = store.get(part.key, op="log:get", start=part.start, limit=part.count)
        if len(body) == part.count:
            return body
    raise CutShort(f"log:get: {part.key}: got {len(body)} of {part.count} bytes from byte {part.start} on")
