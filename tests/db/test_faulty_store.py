from pathlib import Path

import pytest

from db.errors import StoreUnavailable, VaultError
from db.stores.base import ObjectExists, ObjectStore, OutcomeUnknown
from db.stores.directory import DirectoryStore
from tests.db.faulty_store import Fault, FaultyStore

TIME_MS = 1_777_000_000_123


def put(store: ObjectStore, key: str, body: bytes = b"body") -> None:
    store.put(key, body, timestamp_ms=TIME_MS, op="test:put")


@pytest.mark.parametrize(
    ("fault", "raised", "has_effect"),
    [
        ("error_before", StoreUnavailable, False),
        ("error_after", OutcomeUnknown, True),
        ("timeout_lost", OutcomeUnknown, False),
        ("duplicate", ObjectExists, True),
        ("late", OutcomeUnknown, False),
        ("delay", None, True),
    ],
)
def test_the_faulty_store_breaks_the_armed_call_and_no_other(
    tmp_path: Path, fault: Fault, raised: type[VaultError] | None, has_effect: bool
) -> None:
    store = FaultyStore(DirectoryStore(tmp_path))
    store.arm(fault, "test:put", nth=2, delay_s=0)
    put(store, "1")
    assert not store.fired
    if raised is None:
        put(store, "2")
    else:
        with pytest.raises(raised):
            put(store, "2")
    assert store.fired
    assert store.inner.exists("2", op="test:look") == has_effect
    put(store, "3")
    assert store.calls == {"test:put": 3}
    store.release()
    assert store.inner.exists("2", op="test:look") == (has_effect or fault == "late")


def test_the_faulty_store_runs_its_hooks_around_the_effect(tmp_path: Path) -> None:
    store = FaultyStore(DirectoryStore(tmp_path))
    seen: list[tuple[str, bool]] = []
    store.before_call = lambda op: seen.append((op, store.inner.exists("1", op="test:look")))
    store.after_call = store.before_call
    put(store, "1")
    assert seen == [("test:put", False), ("test:put", True)]
