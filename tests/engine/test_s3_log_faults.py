"""A bucket whose answers fail while a vault is opened, tended, migrated or restored; and writers with wrong clocks.

What opens shows all that was acknowledged, or does not open; what was interrupted is done by doing it again; and no
object goes that a reader or a writer still needs.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from db.clock import Moment, system_moment
from db.errors import VaultError
from db.history.points import database_at, find_point, restore
from db.log.commit_log import CommitLog
from db.log.ltx import TXID
from db.log.retention import HOUR_MS, make_snapshot, tend
from db.schema.migrate import MigrationSet, load_set, read_ledger
from db.vault.freshness import FIRST_UNCONSTRAINED
from db.vault.opening import Kind, create_vault, open_vault
from db.vault.vault import Vault
from tests.engine.bucket import (
    ALWAYS,
    KEEP,
    LIST_KINDS,
    PUT_KINDS,
    READ_KINDS,
    UNNOTICED,
    Bucket,
    Stored,
    new_bucket,
    tended_log,
    young_log,
)
from tests.engine.desk import ACTOR, KIND, check_log, new_desk, noted, open_desk, requests, site
from tests.engine.held_put import PATIENCE_S, wait_until
from tests.engine.ledger import Ledger, visits
from tests.fault_proxy import Fault, FaultKind, FaultProxy, fault_proxy
from tests.moto_s3 import MotoS3

T = TypeVar("T")
MINUTE_MS = 60_000
LEVELS = ("0009/", "0001/", "0000/")


class Shifted:
    """The system's clock, wrong by some milliseconds. The bucket's own clock cannot be moved."""

    def __init__(self, by_ms: int = 0) -> None:
        self.by_ms = by_ms

    def __call__(self) -> Moment:
        return Moment(system_moment().ms + self.by_ms)


@pytest.fixture(scope="module")
def proxy(s3: MotoS3) -> Iterator[FaultProxy]:
    with fault_proxy(s3.endpoint) as running:
        yield running


@pytest.fixture(scope="module")
def tended(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Stored], list[str]]:
    return tended_log(tmp_path_factory.mktemp("tended"))


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Stored], list[str]]:
    return young_log(tmp_path_factory.mktemp("young"))


@pytest.fixture(scope="module")
def library(s3: MotoS3, proxy: FaultProxy, tended: tuple[list[Stored], list[str]]) -> Bucket:
    """A bucket that is only read from."""
    bucket = new_bucket(s3, proxy)
    bucket.stage(tended[0])
    return bucket


def opened_under(bucket: Bucket, folder: Path, *faults: Fault) -> Vault | None:
    """The vault, if it opens while the faults strike."""
    with bucket.proxy.breaking(*faults):
        try:
            return open_desk(bucket.through, folder)
        except VaultError:
            return None


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("method", "kind", "times"),
    [
        *(("LIST", kind, 1) for kind in LIST_KINDS),
        *(("GET", kind, 1) for kind in READ_KINDS),
        ("LIST", "500", ALWAYS),
        ("LIST", "stale", ALWAYS),
        ("GET", "503", ALWAYS),
        ("GET", "short", ALWAYS),
    ],
)
def test_what_opens_while_the_bucket_fails_lacks_nothing(
    library: Bucket,
    tended: tuple[list[Stored], list[str]],
    tmp_path: Path,
    level: str,
    method: str,
    kind: FaultKind,
    times: int,
) -> None:
    fault = Fault(kind, method, level, times=times)
    vault = opened_under(library, tmp_path, fault)
    assert fault.hits
    assert vault is not None or times > 1 or kind not in UNNOTICED
    # Again, with what the first attempt left in the folder.
    vault = vault or open_desk(library.through, tmp_path)
    assert vault.read(requests, FIRST_UNCONSTRAINED).value == tended[1]
    vault.close()


@pytest.mark.parametrize("kind", [kind for kind in READ_KINDS if kind not in ("cut", "short")])
def test_a_vault_opens_with_what_it_has_when_the_look_behind_it_fails(
    library: Bucket, tended: tuple[list[Stored], list[str]], tmp_path: Path, kind: FaultKind
) -> None:
    head = max(stored.max_txid for stored in tended[0])
    fault = Fault(kind, "GET", f"0000/{head + 1:016x}-", times=5)
    vault = opened_under(library, tmp_path, fault)
    assert fault.hits
    if vault is not None:
        assert noted(vault) == tended[1]
        vault.close()


@pytest.mark.parametrize(
    ("method", "kind"), [*(("LIST", kind) for kind in LIST_KINDS), *(("GET", kind) for kind in READ_KINDS)]
)
def test_a_restore_from_a_failing_bucket_is_whole_or_refused(
    library: Bucket, tended: tuple[list[Stored], list[str]], method: str, kind: FaultKind
) -> None:
    points = sorted({stored.max_txid for stored in tended[0]})
    for txid in (points[0], points[-1]):
        wanted = database_at(CommitLog(library.direct, "desk"), TXID(txid))
        with library.proxy.breaking(Fault(kind, method)), suppress(VaultError):
            assert database_at(CommitLog(library.through, "desk"), TXID(txid)) == wanted


STEPS: list[tuple[str, str, FaultKind, int]] = [
    *(("PUT", "000[19]/", kind, 1) for kind in PUT_KINDS),
    *(("PUT", "0001/", kind, ALWAYS) for kind in ("500", "dropped", "broken")),
    *(("PUT", "0009/", kind, ALWAYS) for kind in ("500", "dropped", "broken")),
    *(("DELETE", "", kind, 1) for kind in ("500", "503", "lost", "silent", "dropped", "broken")),
    *(("DELETE", "", kind, ALWAYS) for kind in ("500", "503")),
    *(("LIST", "0000/", kind, 1) for kind in LIST_KINDS),
    *(("LIST", "0001/", kind, ALWAYS) for kind in ("500", "stale")),
    *(("GET", "0000/", kind, 1) for kind in READ_KINDS),
]


@pytest.mark.parametrize(("method", "key", "kind", "times"), STEPS)
def test_tending_a_log_while_the_bucket_fails_takes_nothing_from_anybody(
    s3: MotoS3,
    proxy: FaultProxy,
    young: tuple[list[Stored], list[str]],
    tmp_path: Path,
    method: str,
    key: str,
    kind: FaultKind,
    times: int,
) -> None:
    bucket, clock = new_bucket(s3, proxy), Shifted()
    # By the bucket's clock the snapshot is as old as the commits: with a day to keep, all before it may go.
    keep = replace(KEEP, points_days=1 if method == "DELETE" else 30)
    bucket.stage(young[0])
    reader = open_desk(bucket.direct, tmp_path / "reader", clock)
    writer = open_desk(bucket.direct, tmp_path / "writer", clock)
    tender = open_desk(bucket.through, tmp_path / "tender", clock)
    ledger = Ledger(young[1])
    ledger.write(writer, "yesterday-1")
    ledger.write(writer, "yesterday-2")
    clock.by_ms = 25 * HOUR_MS
    fault = Fault(kind, method, key, times=times)
    with bucket.proxy.breaking(fault), suppress(VaultError):
        make_snapshot(tender)
        tend(tender, clock().ms, keep)
    # One whose copy is from yesterday reads on, one writes on, and a new one opens: whatever is done by now.
    ledger.check(noted(reader))
    ledger.write(writer, "today-1")
    bucket.proxy.release()
    tend(tender, clock().ms, keep)
    ledger.write(tender, "today-2")
    assert {"today-1", "today-2"} <= ledger.acknowledged
    for vault in (reader, writer, tender):
        ledger.check(noted(vault))
        vault.close()
    assert fault.hits
    ledger.check(check_log(bucket.direct))


def in_thread(work: Callable[[], T]) -> "tuple[threading.Thread, list[T]]":
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    return thread, found


def test_a_vault_opens_though_what_it_is_about_to_read_is_pruned(
    s3: MotoS3, proxy: FaultProxy, young: tuple[list[Stored], list[str]], tmp_path: Path
) -> None:
    bucket, clock = new_bucket(s3, proxy), Shifted()
    bucket.stage(young[0])
    tender = open_desk(bucket.direct, tmp_path / "tender", clock)
    held = Fault("held", "GET", "0000/", times=5)
    patient = replace(s3, endpoint=proxy.endpoint).store(bucket.prefix, timeout_s=PATIENCE_S)
    with bucket.proxy.breaking(held):
        opening, opened = in_thread(lambda: open_desk(patient, tmp_path / "opening", clock))
        wait_until(lambda: held.hits == 5)
        make_snapshot(tender)
        assert tend(tender, clock().ms + 25 * HOUR_MS, KEEP) > 0
        held.times = 0
        proxy.release()
        opening.join(PATIENCE_S)
    assert noted(opened[0]) == young[1]
    opened[0].close()
    tender.close()


def test_a_put_that_arrives_hours_late_still_finds_its_name_taken(
    s3: MotoS3, proxy: FaultProxy, young: tuple[list[Stored], list[str]], tmp_path: Path
) -> None:
    bucket, clock, ledger = new_bucket(s3, proxy), Shifted(), Ledger(young[1])
    bucket.stage(young[0])
    slow = open_desk(bucket.through, tmp_path / "slow", clock)
    other = open_desk(bucket.direct, tmp_path / "other", clock)
    with bucket.proxy.breaking(Fault("late", "PUT", times=ALWAYS)):
        ledger.write(slow, "slow")
    for number in range(6):
        ledger.write(other, f"other-{number}")
    clock.by_ms = 23 * HOUR_MS
    make_snapshot(other)
    tend(other, clock().ms, KEEP)
    proxy.release()
    assert ledger.unknown == {"slow"}
    assert noted(slow) == noted(other) == sorted([*young[1], *(f"other-{number}" for number in range(6))])
    for vault in (slow, other):
        vault.close()
    ledger.check(check_log(bucket.direct))


def new_release() -> tuple[Kind, Kind]:
    """The kind of vault as the last release had it, and as this one has it: two steps more."""
    desk = load_set("desk", Path(__file__).parent / "migrations")
    first = desk.steps[0]
    steps = [first]
    for number, name in ((2, "add_stamps"), (3, "add_rooms")):
        sql = f"CREATE TABLE {name[4:]} (id INTEGER PRIMARY KEY) STRICT;"
        steps.append(replace(first, number=number, name=name, sql=sql, sha256=f"{number:064x}"))
    sets = [(load_set("kernel"), MigrationSet("desk", tuple(steps[:count]))) for count in (1, 3)]
    return Kind(sets[0], KIND.redacted), Kind(sets[1], KIND.redacted)


@pytest.mark.parametrize(
    ("method", "kind", "times"),
    [
        *(("PUT", kind, 1) for kind in PUT_KINDS),
        *(("PUT", kind, ALWAYS) for kind in ("500", "late", "broken")),
        *(("GET", kind, 1) for kind in ("500", "lost", "dropped")),
    ],
)
def test_a_migration_whose_bucket_fails_is_done_once(
    s3: MotoS3, proxy: FaultProxy, tmp_path: Path, method: str, kind: FaultKind, times: int
) -> None:
    bucket, (before, after) = new_bucket(s3, proxy), new_release()
    maker = create_vault(site(bucket.direct, tmp_path / "maker"), "desk", before)
    maker.write(lambda tx: tx.insert("counters", id="visits", value=0), ACTOR)
    ledger = Ledger()
    ledger.write(maker, "before")
    fault = Fault(kind, method, f"0000/{maker.head.txid + 1:016x}-", times=times)
    with bucket.proxy.breaking(fault), suppress(VaultError):
        open_vault(site(bucket.through, tmp_path / "first"), "desk", after).close()
    assert fault.hits
    bucket.proxy.release()
    ledger.write(maker, "the old release writes on")
    for place in ("first", "second"):
        vault = open_vault(site(bucket.through, tmp_path / place), "desk", after)
        assert vault.refusal is None
        steps = [step[:2] for step in vault.read_raw(lambda connection, _: read_ledger(connection)).value]
        assert sorted(step for step in steps if step[0] == "desk") == [("desk", 1), ("desk", 2), ("desk", 3)]
        ledger.write(vault, f"after, {place}")
        vault.close()
    maker.close()
    assert len(ledger.acknowledged) == 4
    ledger.check(check_log(bucket.direct))


@pytest.mark.parametrize("fault", [None, *PUT_KINDS])
def test_writers_whose_clocks_differ_by_ten_minutes_keep_one_order(
    s3: MotoS3, proxy: FaultProxy, tmp_path: Path, fault: FaultKind | None
) -> None:
    bucket, fast, slow = new_bucket(s3, proxy), Shifted(5 * MINUTE_MS), Shifted(-5 * MINUTE_MS)
    new_desk(bucket.direct, tmp_path / "maker", slow).close()
    ahead, behind = (
        open_desk(bucket.through, tmp_path / "ahead", fast),
        open_desk(bucket.direct, tmp_path / "behind", slow),
    )
    ledger = Ledger()
    broken = [Fault(fault, "PUT", "0000/", nth=2)] if fault else []
    bookmarks: list[str] = []
    with bucket.proxy.breaking(*broken):
        for number in range(4):
            ledger.write(ahead if number % 2 == 0 else behind, f"{number}")
            bookmarks.append((ahead if number % 2 == 0 else behind).bookmark)
    assert len(ledger.acknowledged) == 4
    bucket.proxy.release()
    log = CommitLog(bucket.direct, "desk")
    times = [find_point(log, bookmark).timestamp for bookmark in bookmarks]
    assert times == sorted(times), "times in the log never fall"
    # Each by its own clock: nothing of today goes, and what was there an hour ago is found.
    for vault, clock in ((ahead, fast), (behind, slow)):
        make_snapshot(vault)
        assert tend(vault, clock().ms + 23 * HOUR_MS, KEEP) == 0
        assert noted(vault) == sorted(ledger.acknowledged)
    restore(behind, site(bucket.direct, tmp_path / "behind", slow), bookmarks[1], ACTOR)
    assert noted(ahead) == ["0", "1"]
    assert visits(ahead) == 2
    ahead.close()
    behind.close()
