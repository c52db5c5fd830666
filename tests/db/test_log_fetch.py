"""Fetching ahead: everything comes in order, no more than a bounded part at once, and what is cut short is noticed."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.errors import StoreUnavailable
from db.log.fetch import PART_BYTES, fetch_each
from db.stores.base import ObjectMissing, StoredObject


class Contents:
    """A store of nothing but sizes: byte n of an object is n modulo 251. Counts what is asked for and not yet taken.

    short: how many of the next answers lack their last byte.
    """

    level_folder = "{vault}/{level}/"

    def __init__(self, sizes: Sequence[int], short: int = 0) -> None:
        self.sizes = {str(number): size for number, size in enumerate(sizes)}
        self.short = short
        self.bytes_asked = 0
        self.calls = 0
        self._lock = threading.Lock()

    @property
    def objects(self) -> list[tuple[str, int]]:
        return list(self.sizes.items())

    def get(self, key: str, *, op: str, start: int = 0, limit: int | None = None) -> bytes:
        if key not in self.sizes:
            raise ObjectMissing(key)
        stop = self.sizes[key] if limit is None else min(self.sizes[key], start + limit)
        with self._lock:
            self.calls += 1
            self.bytes_asked += stop - start
            if self.short:
                self.short -= 1
                stop -= 1
        return pattern(start, stop)

    def exists(self, key: str, *, op: str) -> bool:
        raise NotImplementedError

    def put(self, key: str, body: bytes | Path, *, timestamp_ms: int, op: str) -> None:
        raise NotImplementedError

    def list(self, prefix: str, *, after: str = "", op: str) -> list[StoredObject]:
        raise NotImplementedError

    def delete(self, keys: Sequence[str], *, op: str) -> None:
        raise NotImplementedError


CYCLE = bytes(range(251)) * (PART_BYTES // 251 + 2)


def pattern(start: int, stop: int) -> bytes:
    first = start % 251
    return CYCLE[first : first + stop - start]


@settings(deadline=None)
@given(st.lists(st.sampled_from([1, 100, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 7]), max_size=6))
def test_every_content_comes_whole_and_in_order(sizes: list[int]) -> None:
    store = Contents(sizes)
    for size, chunks in zip(sizes, fetch_each(store, store.objects), strict=True):
        at = 0
        for chunk in chunks:
            assert len(chunk) <= PART_BYTES
            assert chunk == pattern(at, at + len(chunk))
            at += len(chunk)
        assert at == size


def test_no_more_is_fetched_ahead_than_may_be_held() -> None:
    store = Contents([40 * PART_BYTES, *[10] * 200, 40 * PART_BYTES])
    taken = 0
    for chunks in fetch_each(store, store.objects, 4 * PART_BYTES):
        for chunk in chunks:
            taken += len(chunk)
            assert store.bytes_asked - taken <= 4 * PART_BYTES


def test_at_most_64_requests_are_ahead() -> None:
    store = Contents([10] * 300)
    for taken, chunks in enumerate(fetch_each(store, store.objects), 1):
        assert sum(map(len, chunks)) == 10
        assert store.calls <= taken + 63


def test_small_objects_are_asked_for_together() -> None:
    store = Contents([10] * 64)
    reached = threading.Barrier(64, timeout=30)
    get = store.get

    def meet(key: str, *, op: str, start: int = 0, limit: int | None = None) -> bytes:
        reached.wait()
        return get(key, op=op, start=start, limit=limit)

    store.get = meet  # type: ignore[method-assign]
    assert len([sum(map(len, chunks)) for chunks in fetch_each(store, store.objects)]) == 64


@pytest.mark.parametrize("size", [10, PART_BYTES + 10])
def test_an_answer_that_was_cut_short_is_asked_for_again(size: int) -> None:
    store = Contents([size], short=1)
    (content,) = [b"".join(chunks) for chunks in fetch_each(store, store.objects)]
    assert content == b"".join(pattern(at, min(at + PART_BYTES, size)) for at in range(0, size, PART_BYTES))


def test_answers_that_stay_short_are_an_error() -> None:
    store = Contents([10], short=99)
    contents = fetch_each(store, store.objects)
    with pytest.raises(StoreUnavailable, match="9 of 10 bytes"):
        list(next(contents))


def test_a_missing_object_is_told_when_its_turn_comes() -> None:
    store = Contents([10])
    contents = fetch_each(store, [*store.objects, ("absent", 5)])
    assert b"".join(next(contents)) == pattern(0, 10)
    with pytest.raises(ObjectMissing):
        list(next(contents))
