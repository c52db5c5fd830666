"""Objects that go to the bucket in parts: what each failure on the way means for the commit they hold."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from db.errors import StoreUnavailable
from db.log.commit_log import COMMIT_LEVEL, LOOK_BYTES, CommitLog
from db.log.ltx import TXID, LtxHeader
from db.log.ltx_stream import LtxWriter
from db.stores.base import OutcomeUnknown
from db.stores.s3 import SINGLE_PUT_BYTES, S3Store
from tests.fault_proxy import Fault, FaultKind, FaultProxy, fault_proxy
from tests.moto_s3 import MotoS3, moto_s3

PAGE_BYTES = 65536
TIME_MS = 1_777_000_000_123


@pytest.fixture(scope="module")
def s3() -> Iterator[MotoS3]:
    with moto_s3() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(s3: MotoS3) -> Iterator[FaultProxy]:
    with fault_proxy(s3.endpoint) as running:
        yield running


@pytest.fixture
def store(s3: MotoS3, proxy: FaultProxy, tmp_path: Path) -> Iterator[S3Store]:
    keys = {"access_key_id": "test", "secret_access_key": "test", "region": s3.region}
    yield S3Store(s3.bucket, f"large/{tmp_path.name}", endpoint=proxy.endpoint, timeout_s=2.0, **keys)
    proxy.faults = ()


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two attempts at the same commit, both too large for one request."""
    folder = tmp_path_factory.mktemp("bodies")
    return [large_commit(folder / str(attempt), attempt) for attempt in (1, 2)]


def large_commit(path: Path, node_id: int) -> Path:
    count = SINGLE_PUT_BYTES // PAGE_BYTES + 1
    noise = Random(1).randbytes(PAGE_BYTES)
    header = LtxHeader(PAGE_BYTES, count, TXID(1), TXID(1), TIME_MS, node_id)
    with path.open("wb") as out, LtxWriter(out, header) as writer:
        for number in range(1, count + 1):
            writer.add(number, noise)
        assert writer.finish() > SINGLE_PUT_BYTES
    return path


def at_the_end(kind: FaultKind) -> Fault:
    """Of the two POSTs by which a staged object gets its name, the second is the one after which it exists."""
    return Fault(kind, "POST", "vaults/", nth=2)


def put(store: S3Store, body: Path) -> None:
    store.put("vaults/v/1", body, timestamp_ms=TIME_MS, op="test:put")


def stored(store: S3Store) -> list[str]:
    return [found.key for found in store.list("vaults/", op="test:list")]


def test_who_commits_first_wins_and_the_other_is_told_by_whom(store: S3Store, bodies: list[Path]) -> None:
    log = CommitLog(store, "v")
    assert log.put_commit(TXID(1), bodies[0], TIME_MS) is None
    assert log.put_commit(TXID(1), bodies[1], TIME_MS) == bodies[0].read_bytes()[:LOOK_BYTES]
    assert log.put_commit(TXID(1), bodies[0], TIME_MS) is None, "our own, found again"
    (found,) = log.list_level(COMMIT_LEVEL)
    assert log.header(found).node_id == 1
    assert found.size == bodies[0].stat().st_size
    log.check(found)


@pytest.mark.parametrize(("kind", "exists"), [("500", False), ("dropped", False), ("broken", True)])
def test_no_answer_to_the_last_request_leaves_the_outcome_open(
    store: S3Store, proxy: FaultProxy, bodies: list[Path], kind: FaultKind, exists: bool
) -> None:
    proxy.faults = [at_the_end(kind)]
    with pytest.raises(OutcomeUnknown, match="test:put"):
        put(store, bodies[0])
    assert proxy.faults[0].hits == 1
    assert stored(store) == (["vaults/v/1"] if exists else [])
    assert store.list("staging/", op="test:list") == []


@pytest.mark.parametrize("kind", ["500", "dropped", "broken"])
def test_a_commit_whose_outcome_was_open_is_made_once(
    store: S3Store, proxy: FaultProxy, bodies: list[Path], kind: FaultKind
) -> None:
    log = CommitLog(store, "v")
    proxy.faults = [at_the_end(kind)]
    assert log.put_commit(TXID(1), bodies[0], TIME_MS) is None
    (found,) = log.list_level(COMMIT_LEVEL)
    assert log.header(found).node_id == 1
    log.check(found)


def test_a_part_that_is_lost_is_sent_again(store: S3Store, proxy: FaultProxy, bodies: list[Path]) -> None:
    proxy.faults = [Fault("dropped", "PUT", "staging/"), Fault("503", "POST", "staging/")]
    put(store, bodies[0])
    assert [fault.hits for fault in proxy.faults] == [1, 1]
    assert store.get("vaults/v/1", op="test:get") == bodies[0].read_bytes()


def test_parts_that_cannot_be_sent_leave_nothing(store: S3Store, proxy: FaultProxy, bodies: list[Path]) -> None:
    proxy.faults = [Fault("500", "PUT", "staging/", times=99)]
    with pytest.raises(StoreUnavailable, match="stage vaults/v/1"):
        put(store, bodies[0])
    assert stored(store) == []
