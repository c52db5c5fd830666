"""A bucket with one vault in it, reached directly or through a proxy that breaks calls; and logs to begin with."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from db.clock import system_moment
from db.log.commit_log import CommitLog
from db.log.ltx import TXID
from db.log.retention import HOUR_MS, Retention, make_ranges, make_snapshot, prunable
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from db.stores.s3 import S3Store
from tests.engine.desk import Clock, new_desk
from tests.engine.ledger import Ledger
from tests.fault_proxy import FaultKind, FaultProxy
from tests.moto_s3 import MotoS3

# Long enough for a busy machine, short enough for calls that are never answered.
TIMEOUT_S = 0.5
PUT_KINDS: tuple[FaultKind, ...] = ("500", "503", "lost", "late", "silent", "dropped", "broken")
READ_KINDS: tuple[FaultKind, ...] = ("500", "503", "lost", "dropped", "cut", "short")
LIST_KINDS: tuple[FaultKind, ...] = (*READ_KINDS, "reordered", "paged", "stale")
# What the client of the store repeats unseen, or takes as it comes.
UNNOTICED: tuple[FaultKind, ...] = ("500", "503", "dropped", "reordered", "paged", "stale")
# `times` of a fault that does not end.
ALWAYS = 99
KEEP = Retention(points_days=1, commits_hours=24, range_commits=4)
_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class Stored:
    """One object of a log."""

    level: int
    min_txid: TXID
    max_txid: TXID
    body: bytes


@dataclass(frozen=True)
class Bucket:
    """One prefix of a bucket. direct: a way to it that works; through: the way by the proxy."""

    prefix: str
    direct: S3Store
    through: S3Store
    proxy: FaultProxy

    def stage(self, stored: Sequence[Stored]) -> None:
        log = CommitLog(self.direct, "desk")
        now_ms = system_moment().ms

        def put(found: Stored) -> None:
            key = log.key(found.level, found.min_txid, found.max_txid)
            self.direct.put(key, found.body, timestamp_ms=now_ms, op="stage:put")

        with ThreadPoolExecutor(4) as putters:
            list(putters.map(put, stored))


def new_bucket(s3: MotoS3, proxy: FaultProxy) -> Bucket:
    """A prefix of its own."""
    prefix = f"faults/{next(_NUMBERS)}"
    through = replace(s3, endpoint=proxy.endpoint)
    return Bucket(prefix, s3.store(prefix), through.store(prefix, timeout_s=TIMEOUT_S), proxy)


def young_log(folder: Path) -> tuple[list[Stored], list[str]]:
    """A log of single commits, and the names in it."""
    store, clock, names = DirectoryStore(folder / "young"), Clock(), ["old-1", "old-2", "old-3"]
    vault, ledger = new_desk(store, folder / "young-cache", clock), Ledger()
    for name in names:
        ledger.write(vault, name)
    vault.close()
    return objects(store), names


def tended_log(folder: Path) -> tuple[list[Stored], list[str]]:
    """A log that needs a snapshot, ranges and single commits to be restored, and the names in it."""
    store, clock = DirectoryStore(folder / "tended"), Clock()
    vault, ledger = new_desk(store, folder / "tended-cache", clock), Ledger()
    for number in range(12):
        ledger.write(vault, f"old-{number:02}")
        if number == 4:
            make_snapshot(vault)
    clock.ms += 25 * HOUR_MS
    make_ranges(vault.log, vault.log.list_all(), clock.ms, KEEP)
    vault.log.delete(prunable(vault.log.list_all(), clock.ms, KEEP))
    for number in range(12, 15):
        ledger.write(vault, f"old-{number:02}")
    vault.close()
    return objects(store), sorted(ledger.acknowledged)


def objects(store: ObjectStore) -> list[Stored]:
    """Every object of the vault's log."""
    return [
        Stored(found.level, found.min_txid, found.max_txid, store.get(found.key, op="stage:get"))
        for found in CommitLog(store, "desk").list_all()
    ]
