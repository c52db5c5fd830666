"""What happened when: the commits of a log joined with the audit rows they carried. Reads; changes nothing.

An audit row does not say in which commit it lies. The commits do: each carries the leaf of the audit log that it wrote
to, so its rows are those after the newest row of the commits before it, up to its own newest one. Commits that were
folded into a range are told apart by the audit log alone: the range has one time, one size and one bookmark, and its
works keep their order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar

from db.audit.pages import newest_audit_rows
from db.clock import timestamp
from db.errors import NotFound
from db.log.bookmark import bookmark_of
from db.log.commit_log import LISTINGS, SNAPSHOT_LEVEL, CommitLog, LogObject
from db.log.ltx import TXID, LtxHeader
from db.stores.base import ObjectMissing
from db.transaction import ReadTx
from db.vault.freshness import FIRST_UNCONSTRAINED
from db.vault.vault import Vault

T = TypeVar("T")
# Objects fetched at the same time, ahead of what may be asked for.
_BATCH = 16


@dataclass(frozen=True, slots=True)
class Work:
    """The audit rows that one request left. at: of the request. tables: number of rows by table and operation."""

    at: str
    actor: str
    actor_kind: str
    verb: str
    request_id: str
    tables: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A commit, or several that stand together by now: `first` to `last`.

    kind: `commit`, `range`, or `beginning`: the oldest state the log gives, what led to it is not told apart.
    bookmark, timestamp: of the last commit; the state there can be brought back. pages, bytes: as stored; None when no
    object holds exactly these commits. audit_first, audit_last: the audit rows it brought; none if first > last.
    """

    kind: str
    first: TXID
    last: TXID
    bookmark: str
    timestamp: str
    pages: int | None
    bytes: int | None
    audit_first: int
    audit_last: int
    works: tuple[Work, ...] = ()


@dataclass(frozen=True, slots=True)
class _Step:
    """One stored object. audit_seq: its newest audit row; None when it carries none."""

    found: LogObject
    header: LtxHeader
    pages: int
    audit_seq: int | None


def list_history(vault: Vault, limit: int, before: TXID | None = None, table: str | None = None) -> list[Entry]:
    """The newest entries with their works, newest first, at most `limit`.

    before: only entries that end before this commit. table: only entries in which the audit log shows a change of it.
    Raises CorruptLog, StoreUnavailable, NotFound (vault_not_found).
    """
    return _while_pruned(lambda: _list_history(vault, limit, before, table))


def entry_of(vault: Vault, seq: int) -> Entry:
    """The entry that brought the audit row of this number, without its works. Raises NotFound for a row to come."""
    return _while_pruned(lambda: _entry_of(vault, seq))


_OLDEST = "SELECT min(seq) FROM vaultry_audit WHERE table_name = :name"


def _list_history(vault: Vault, limit: int, before: TXID | None, table: str | None) -> list[Entry]:
    ends = [found for found in _ends(vault.log) if before is None or found.max_txid < before]
    # The copy now is at least as new as the listing.
    oldest = 0 if table is None else vault.read(lambda tx: tx.value(_OLDEST, name=table)).value
    entries: list[Entry] = []
    for entry in _entries(vault.id, _steps(vault, ends)):
        if len(entries) == limit or oldest is None or entry.audit_last < oldest:
            break
        told = entry if entry.kind == "beginning" else replace(entry, works=_works(vault, entry))
        if table is None or any(table in work.tables for work in told.works):
            entries.append(told)
    return entries


def _entry_of(vault: Vault, seq: int) -> Entry:
    ends = _ends(vault.log)
    low, high = 0, len(ends) - 1
    # From newer to older objects the newest audit row never rises: find the oldest one that reaches `seq`.
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _audit_seq_at(vault, ends[middle:]) >= seq else (low, middle - 1)
    for entry in _entries(vault.id, _steps(vault, ends[max(low - 1, 0) :])):
        if entry.audit_first <= seq <= entry.audit_last:
            return entry
        if entry.audit_last < seq:
            break
    raise NotFound(f"no commit of the log carries audit row {seq}")


def _audit_seq_at(vault: Vault, ends: Sequence[LogObject]) -> int:
    """The newest audit row in the state at the first of the objects, from the first on that carries any."""
    carried = (step.audit_seq for found in ends for step in _steps(vault, [found]))
    return next((seq for seq in carried if seq is not None), 0)


def _ends(log: CommitLog) -> list[LogObject]:
    """For every commit that can be gone back to, the smallest object that ends there; newest first."""
    objects = log.list_all()
    steps = [found for found in objects if found.level != SNAPSHOT_LEVEL]
    if not any(found.min_txid == 1 for found in steps):
        snapshots = [found for found in objects if found.level == SNAPSHOT_LEVEL]
        bottom = min(snapshots, key=lambda found: found.max_txid, default=None)
        steps = [found for found in steps if bottom is None or found.max_txid > bottom.max_txid]
        steps += [] if bottom is None else [bottom]
    ends: list[LogObject] = []
    reached = 0
    for end, group in groupby(sorted(steps, key=lambda found: found.max_txid), key=lambda found: found.max_txid):
        ending = sorted(group, key=lambda found: found.min_txid)
        # Commits of which the first ones were pruned already stand in a range that ends later.
        if ending[0].min_txid <= reached + 1:
            ends.append(ending[-1])
            reached = end
    return ends[::-1]


def _steps(vault: Vault, ends: Sequence[LogObject]) -> Iterator[_Step]:
    """The objects as steps, fetched as they are asked for."""
    start = 0
    while start < len(ends):
        batch = list(ends[start : start + _BATCH])
        if len(batch) > 1 and batch[-1].level == SNAPSHOT_LEVEL:
            batch.pop()
        with closing(vault.log.open_each(batch)) as readers:
            for found, reader in zip(batch, readers, strict=True):
                pages = _Counted(page for _, page in reader.pages())
                seq = _audit_seq(vault, pages)
                yield _Step(found, reader.header, pages.count, seq)
        start += len(batch)


class _Counted(Iterable[bytes]):
    """Pages passed on one by one, counted."""

    def __init__(self, pages: Iterable[bytes]) -> None:
        self._pages = pages
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for page in self._pages:
            self.count += 1
            yield page


_IS_AUDIT_ROW = "SELECT 1 FROM vaultry_audit WHERE seq = :seq AND at = :at"


def _audit_seq(vault: Vault, pages: Iterable[bytes]) -> int | None:
    rows = newest_audit_rows(pages)

    def newest(tx: ReadTx) -> int | None:
        return next((seq for seq, at in rows if tx.value(_IS_AUDIT_ROW, seq=seq, at=at) is not None), None)

    return vault.read(newest, FIRST_UNCONSTRAINED).value if rows else None


def _entries(vault_id: str, steps: Iterable[_Step]) -> Iterator[Entry]:
    """Entries out of steps, both newest first."""
    waiting: list[_Step] = []
    for step in steps:
        waiting.append(step)
        if step.audit_seq is not None or step.found.min_txid == 1:
            yield from _between(vault_id, waiting)
            waiting = [step]
    if waiting:
        last = waiting[-1]
        beginning = _entry(vault_id, last, last.header.min_txid, (1, last.audit_seq or 0))
        yield replace(beginning, kind="beginning")


def _between(vault_id: str, steps: Sequence[_Step]) -> Iterator[Entry]:
    """The entries above the oldest of these steps, where the audit log is known to have come to `audit_seq`."""
    known = [(steps[-1], steps[-1].audit_seq or 0)]
    for step in reversed(steps[:-1]):
        end, seq = known[-1][0].found.max_txid, known[-1][1]
        if step.audit_seq is not None:
            known.append((step, step.audit_seq))
        elif step.found.min_txid <= end + 1:
            known.append((step, seq))
        # Else commits before it are in an object that ends later only: the two cannot be told apart.
    for (newer, seq), (older, before) in zip(reversed(known[1:]), reversed(known[:-1]), strict=True):
        yield _entry(vault_id, newer, TXID(older.found.max_txid + 1), (before + 1, seq))


def _entry(vault_id: str, step: _Step, first: TXID, audit: tuple[int, int]) -> Entry:
    header, whole = step.header, step.found.min_txid == first
    return Entry(
        kind="commit" if first == header.max_txid else "range",
        first=first,
        last=header.max_txid,
        bookmark=str(bookmark_of(vault_id, header.max_txid, header.node_id)),
        timestamp=timestamp(header.timestamp_ms),
        pages=step.pages if whole else None,
        bytes=step.found.size if whole else None,
        audit_first=audit[0],
        audit_last=audit[1],
    )


_WORKS = """
SELECT at, actor, actor_kind, verb, request_id, table_name, operation, count(*) AS changed
  FROM vaultry_audit WHERE seq BETWEEN :first AND :last
 GROUP BY at, actor, actor_kind, verb, request_id, table_name, operation ORDER BY min(seq)
"""


def _works(vault: Vault, entry: Entry) -> tuple[Work, ...]:
    """What was done in an entry, by request, in the order of the audit log."""
    rows = vault.read(
        lambda tx: tx.rows(_WORKS, first=entry.audit_first, last=entry.audit_last), FIRST_UNCONSTRAINED
    ).value
    works: dict[tuple[str, ...], Work] = {}
    for row in rows:
        at, actor, kind, verb, request_id = (str(value) for value in tuple(row)[:5])
        work = Work(at, actor, kind, verb, request_id, {})
        work = works.setdefault((at, actor, kind, verb, request_id), work)
        work.tables.setdefault(row["table_name"], {})[row["operation"]] = row["changed"]
    return tuple(works.values())


def _while_pruned(look: Callable[[], T]) -> T:
    """What `look` returns; it looks again when an object was pruned between its listing and its fetch."""
    for _ in range(LISTINGS - 1):
        with suppress(ObjectMissing):
            return look()
    return look()
