"""Keeping a log short: snapshots, ranges, pruning. Knows which objects a restore needs; not who schedules the work.

Every step may be interrupted or run twice at once: files are put before anything they replace is removed, and a file
that is there already says the same.
"""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from db.events import LogPruned, SnapshotMade, emit
from db.log.commit_log import COMMIT_LEVEL, RANGE_LEVEL, SNAPSHOT_LEVEL, CommitLog, LogObject
from db.log.ltx import TXID
from db.stores.base import ObjectMissing
from db.vault.database_file import encode_database, encode_range, write_database
from db.vault.vault import Vault

HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Retention:
    """How much history is kept.

    points_days: every point in time back to here can be restored. commits_hours: so long each commit keeps a file of
    its own; it must exceed the life of any request and the engine's `base_age_ms`. range_commits: most commits in a
    range. Commits older than commits_hours are restorable at the ends of ranges.
    """

    points_days: int = 30
    commits_hours: int = 24
    range_commits: int = 256


def snapshot_due(objects: Sequence[LogObject]) -> bool:
    """Whether the bytes since the last snapshot exceed half its size, or there is none and the log is not new."""
    # The first commit holds every page: it serves as the snapshot until there is one.
    whole = [found for found in objects if found.level == SNAPSHOT_LEVEL or found.min_txid == 1]
    last = max(whole, key=lambda found: found.max_txid, default=None)
    if last is None:
        return False
    ranges = [found for found in objects if found.level == RANGE_LEVEL]
    # Commits that were folded into a range are counted there, for they may be pruned already.
    loose = [found for found in objects if found.level == COMMIT_LEVEL and not _covered(found, ranges)]
    return sum(found.size for found in (*ranges, *loose) if found.max_txid > last.max_txid) > last.size // 2


def make_snapshot(vault: Vault) -> TXID:
    """Store every page at the newest commit; that commit's TXID. Readers and writers go on meanwhile.

    It is made from the log, every checksum compared, and not from the local copy: what it replaces will be removed.
    """
    with vault.scratch() as folder:
        database, body = folder / "snapshot.sqlite", folder / "snapshot.ltx"
        header = replace(write_database(vault.log, database), min_txid=TXID(1))
        size = encode_database(database, header, body)
        database.unlink()
        vault.log.put_file(SNAPSHOT_LEVEL, header, body)
    emit(SnapshotMade(vault.id, header.max_txid, size))
    return header.max_txid


def make_ranges(
    log: CommitLog, objects: Sequence[LogObject], now_ms: int, keep: Retention, folder: Path | None = None
) -> int:
    """Fold old commits into ranges; how many ranges were stored. folder: for what is being made; None: the system's."""
    ranged = max((found.max_txid for found in objects if found.level == RANGE_LEVEL), default=TXID(1))
    old = [
        found
        for found in objects
        if found.level == COMMIT_LEVEL
        and found.min_txid > ranged
        and found.modified_ms <= now_ms - keep.commits_hours * HOUR_MS
    ]
    runs = _runs(sorted(old, key=lambda found: found.min_txid), keep.range_commits)
    for run in runs:
        with tempfile.TemporaryDirectory(prefix="vaultry-range-", dir=folder) as made:
            body = Path(made) / "range.ltx"
            log.put_file(RANGE_LEVEL, encode_range(log, run, body), body)
    return len(runs)


def prunable(objects: Sequence[LogObject], now_ms: int, keep: Retention) -> list[LogObject]:
    """The objects that no restore within the retention needs; never the newest commit, by which heads are known."""
    oldest_ms = now_ms - keep.points_days * DAY_MS
    snapshots = [found for found in objects if found.level == SNAPSHOT_LEVEL and found.modified_ms <= oldest_ms]
    base = max((found.max_txid for found in snapshots), default=TXID(0))
    ranges = [found for found in objects if found.level == RANGE_LEVEL]
    head = max((found.max_txid for found in objects), default=TXID(0))
    commits_ms = now_ms - keep.commits_hours * HOUR_MS

    def replaced(found: LogObject) -> bool:
        if found.max_txid == head and found.level != SNAPSHOT_LEVEL:
            return False
        if found.level == SNAPSHOT_LEVEL:
            return found.max_txid < base
        if found.modified_ms > commits_ms:
            return False
        return found.max_txid <= base or (found.level == COMMIT_LEVEL and _covered(found, ranges))

    return [found for found in objects if replaced(found)]


def tend(vault: Vault, now_ms: int, keep: Retention) -> int:
    """Snapshot, fold and prune as far as due; how many objects were removed."""
    objects = vault.log.list_all()
    if snapshot_due(objects):
        make_snapshot(vault)
    # Commits that are gone were folded by another process meanwhile.
    with suppress(ObjectMissing), vault.scratch() as folder:
        make_ranges(vault.log, objects, now_ms, keep, folder)
    doomed = prunable(vault.log.list_all(), now_ms, keep)
    vault.log.delete(doomed)
    if doomed:
        emit(LogPruned(vault.id, len(doomed)))
    return len(doomed)


def _covered(commit: LogObject, ranges: Sequence[LogObject]) -> bool:
    """Whether a range holds the commit."""
    return any(found.min_txid <= commit.min_txid and commit.max_txid <= found.max_txid for found in ranges)


def _runs(commits: Sequence[LogObject], longest: int) -> list[list[LogObject]]:
    """Unbroken runs of at most that many commits."""
    runs: list[list[LogObject]] = []
    for found in commits:
        if runs and len(runs[-1]) < longest and runs[-1][-1].max_txid + 1 == found.min_txid:
            runs[-1].append(found)
        else:
            runs.append([found])
    return runs
