"""A bucket whose answers fail while a commit is made: no acknowledged write is lost, none is there twice.

The faults are on the wire, below the client of the store and what it repeats by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from db.vault.freshness import FIRST_UNCONSTRAINED
from db.vault.vault import Vault
from tests.engine.bucket import ALWAYS, LIST_KINDS, PUT_KINDS, READ_KINDS, UNNOTICED, Bucket, new_bucket, young_log
from tests.engine.desk import check_log, noted, open_desk, requests
from tests.engine.ledger import Ledger, visits
from tests.fault_proxy import Fault, FaultKind, FaultProxy, fault_proxy
from tests.moto_s3 import MotoS3


@pytest.fixture(scope="module")
def proxy(s3: MotoS3) -> Iterator[FaultProxy]:
    with fault_proxy(s3.endpoint) as running:
        yield running


@dataclass
class Two:
    """Two processes with one vault: `first` reaches the bucket through the proxy, `second` past it."""

    bucket: Bucket
    ledger: Ledger
    first: Vault
    second: Vault
    names: Iterator[str]

    def next_key(self, after: int = 1) -> str:
        """A pattern for the key of the commit that comes that many after the head."""
        noted(self.second)
        return f"0000/{self.second.head.txid + after:016x}-"

    def settle(self) -> None:
        """Both write again, and both see what callers were told."""
        self.bucket.proxy.release()
        for vault in (self.second, self.first):
            name = next(self.names)
            self.ledger.write(vault, name)
            assert name in self.ledger.acknowledged, "the vault goes on when the bucket does"
        for vault in (self.first, self.second):
            present = noted(vault)
            self.ledger.check(present)
            assert visits(vault) == len(present)


@pytest.fixture(scope="module")
def two(s3: MotoS3, proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("two")
    bucket = new_bucket(s3, proxy)
    stored, names = young_log(folder)
    bucket.stage(stored)
    first = open_desk(bucket.through, folder / "first")
    second = open_desk(bucket.direct, folder / "second")
    played = Two(bucket, Ledger(names), first, second, (f"play-{number:04}" for number in count()))
    yield played
    first.close()
    second.close()
    played.ledger.check(check_log(bucket.direct))


@pytest.mark.parametrize("kind", PUT_KINDS)
def test_one_failed_put_is_made_good(two: Two, kind: FaultKind) -> None:
    fault, name = Fault(kind, "PUT", two.next_key()), next(two.names)
    with two.bucket.proxy.breaking(fault):
        two.ledger.write(two.first, name)
    assert fault.hits == 1
    assert name in two.ledger.acknowledged
    two.settle()


@pytest.mark.parametrize(
    ("kind", "arrives"), [*((kind, "before the next commit") for kind in PUT_KINDS), ("late", "after it")]
)
def test_a_put_that_keeps_failing_is_unknown_unless_its_commit_is_found(
    two: Two, kind: FaultKind, arrives: str
) -> None:
    fault, name = Fault(kind, "PUT", two.next_key(), times=ALWAYS), next(two.names)
    with two.bucket.proxy.breaking(fault):
        two.ledger.write(two.first, name)
    assert fault.hits > 1
    made = kind in ("silent", "broken")
    assert name in (two.ledger.acknowledged if made else two.ledger.unknown)
    if arrives == "after it":
        two.ledger.write(two.second, next(two.names))
    two.settle()


@pytest.mark.parametrize("kind", READ_KINDS[:4])
@pytest.mark.parametrize("times", [1, ALWAYS])
def test_a_look_that_fails_is_repeated_or_refuses_the_write(two: Two, kind: FaultKind, times: int) -> None:
    fault, name = Fault(kind, "GET", two.next_key(), times=times), next(two.names)
    with two.bucket.proxy.breaking(fault):
        two.ledger.write(two.first, name)
    assert fault.hits
    assert name in (two.ledger.acknowledged if times == 1 and kind in UNNOTICED else two.ledger.refused)
    two.settle()


@pytest.mark.parametrize("kind", READ_KINDS)
@pytest.mark.parametrize("times", [1, ALWAYS])
def test_a_comparison_that_fails_never_decides_wrongly(two: Two, kind: FaultKind, times: int) -> None:
    # The answer to the put gets lost, the repeated put is refused, and who made the object must be read.
    key, name = two.next_key(), next(two.names)
    compare = Fault(kind, "GET", key, nth=2, times=times)
    with two.bucket.proxy.breaking(Fault("broken", "PUT", key), compare):
        two.ledger.write(two.first, name)
    assert compare.hits
    assert name not in two.ledger.refused, "it was made"
    two.settle()
    assert name in noted(two.second)


@pytest.mark.parametrize("kind", READ_KINDS)
@pytest.mark.parametrize("behind", [1, 2, 3])
def test_catching_up_with_a_failing_bucket_never_skips_a_commit(two: Two, kind: FaultKind, behind: int) -> None:
    fault = Fault(kind, "GET", two.next_key(behind))
    for _ in range(3):
        two.ledger.write(two.second, next(two.names))
    with two.bucket.proxy.breaking(fault):
        two.ledger.write(two.first, next(two.names))
    assert fault.hits == 1
    seen = two.first.read(requests, FIRST_UNCONSTRAINED).value
    assert seen == noted(two.second)[: len(seen)], "what it has is the beginning of what there is"
    two.settle()


@pytest.mark.parametrize("kind", LIST_KINDS)
def test_catching_up_by_a_failing_listing_never_skips_a_commit(two: Two, kind: FaultKind) -> None:
    fault, name = Fault(kind, "LIST", "0000/"), next(two.names)
    for _ in range(4):
        two.ledger.write(two.second, next(two.names))
    with two.bucket.proxy.breaking(fault):
        two.ledger.write(two.first, name)
    assert fault.hits == 1
    assert (name in two.ledger.acknowledged) or kind not in UNNOTICED
    two.settle()
