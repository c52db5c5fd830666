"""Rounds of maintenance: what is due, on which vaults, in what order, until when. Knows jobs by their declaration only.

What is due is known from the registry alone; no vault is opened to find out. Every job is idempotent, so nothing is
leased: a round that is killed leaves its last batch to be done again, and of two rounds at once each looks again at
what is due before every batch. One vault that cannot be opened, or one job that fails, is noted and stops no other.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from db.clock import Moment
from db.events import Event, emit
from db.registry.directory import MAX_PER_PAGE, VaultEntry, find_vault, list_vaults
from db.registry.maintenance_runs import REGISTRY, due_jobs, due_vaults
from db.transaction import ReadTx
from handlers.jobs.declared import chosen_jobs, reach
from handlers.jobs.job import DUE_AT, Job, Report, RoundReport, time_is_over
from handlers.jobs.running import Done, look_after, note
from handlers.services import Services

# One commit of the registry notes what became of so many vaults.
BATCH_VAULTS = 50
MOST_VAULTS = 10_000
WORKERS = 4


@dataclass(frozen=True, slots=True)
class RoundEnded(Event):
    """A round of maintenance is over. left: vaults that were due and not reached. ms: how long it took."""

    vaults: int
    runs: int
    failed: int
    left: int
    ms: int


def _never() -> bool:
    return False


def _ignore(done: int, total: int) -> None:
    """Nobody watches."""


def plan(services: Services, now: Moment) -> list[list[str]]:
    """Ids of vaults with something due, in batches of 50 at most, 10,000 in all; opens none of them.

    The registry goes first, in a batch of its own, then the vaults that have waited longest.
    """
    jobs = reach(chosen_jobs(None))
    return _batches(services.registry_read(lambda tx: due_vaults(tx, jobs, now, MOST_VAULTS), current=True))


def run_batch(services: Services, vault_ids: Sequence[str], deadline: Moment) -> RoundReport:
    """Run what is due on these vaults; the report's `left` are those not reached before the deadline.

    A batch that comes twice finds nothing due the second time.
    """
    return run_due(services, vaults=vault_ids, deadline=deadline)


def run_due(
    services: Services,
    *,
    jobs: Sequence[str] | None = None,
    vaults: Sequence[str] | None = None,
    deadline: Moment,
    force: bool = False,
    workers: int = WORKERS,
    stopped: Callable[[], bool] = _never,
    progress: Callable[[int, int], None] = _ignore,
) -> RoundReport:
    """One round, bounded in time: what became of it.

    jobs: their names, None = all; `retention` = those of the charters. vaults: ids, None = the registry and active
    vaults, 10,000 at most. deadline: no job is begun after it. force: whether due or not. workers: vaults at a time.
    stopped: asked before each job; True ends the round like the deadline. progress: told vaults done, and of how many.
    Raises NotFound for a job that is not declared, and what the registry raises.
    """
    began, chosen = services.clock(), chosen_jobs(jobs)
    ids = list(vaults) if vaults is not None else _candidates(services, chosen, began, force=force)
    report, reached = RoundReport(), 0
    passed = time_is_over(services, deadline)

    def is_over() -> bool:
        return stopped() or passed()

    for batch in _batches(ids):
        if is_over():
            report.left += batch
            continue
        # What the registry alone has to do, a drill above all, may take half of the time.
        until = _halfway(services, deadline) if batch == [REGISTRY] and len(ids) > 1 else deadline
        due = _due(services, chosen, batch, force=force)
        done = _work(services, due, until, workers, is_over)
        note(services, chosen, done)
        for each in done:
            report.vaults += 1 if each.outcomes else 0
            report.left += [] if each.whole else [each.vault_id]
            for outcome in each.outcomes:
                report.add(outcome)
        reached += len(batch)
        progress(reached, len(ids))
    emit(RoundEnded(report.vaults, report.runs, report.failed, len(report.left), services.clock().ms - began.ms))
    return report


def look_after_open(services: Services, jobs: Sequence[Job], stopped: Callable[[], bool] = _never) -> RoundReport:
    """Run the jobs on the registry and on the vaults this process has open, due or not.

    What found something to do is noted, so that the next due run comes later; the rest costs no commit.
    """
    report = RoundReport()
    noted: list[Done] = []
    deadline = Moment(services.clock().ms + 60_000)
    for vault_id in (REGISTRY, *services.pool.open_ids()):
        entry = _entry(services, vault_id)
        if vault_id != REGISTRY and entry is None:
            continue
        wanted = tuple(job for job in jobs if job.charter in ("", entry.charter if entry else ""))
        done = look_after(services, entry, wanted, deadline, stopped)
        for outcome in done.outcomes:
            report.add(outcome)
        news = tuple(outcome for outcome in done.outcomes if not outcome.error and _is_news(outcome.report))
        if news:
            noted.append(Done(vault_id, done.ran, news, whole=True))
    note(services, jobs, noted)
    return report


def _is_news(report: Report) -> bool:
    """Whether the run found something to do."""
    return any(value for name, value in report.items() if name not in (DUE_AT, "txid"))


def _candidates(services: Services, jobs: Sequence[Job], now: Moment, *, force: bool) -> list[str]:
    """The vaults of a round over everything."""
    if not force:
        return services.registry_read(lambda tx: due_vaults(tx, reach(jobs), now, MOST_VAULTS), current=True)

    def active(tx: ReadTx) -> list[str]:
        return [entry.id for entry in list_vaults(tx, per_page=MAX_PER_PAGE, status="active").entries]

    return [REGISTRY, *services.registry_read(active, current=True)]


def _batches(vault_ids: Sequence[str]) -> list[list[str]]:
    """The ids in batches, the registry in one of its own."""
    rest = [vault_id for vault_id in vault_ids if vault_id != REGISTRY]
    batches = [rest[start : start + BATCH_VAULTS] for start in range(0, len(rest), BATCH_VAULTS)]
    return [[REGISTRY], *batches] if len(rest) < len(vault_ids) else batches


def _halfway(services: Services, deadline: Moment) -> Moment:
    now_ms = services.clock().ms
    return Moment(now_ms + max(0, deadline.ms - now_ms) // 2)


def _due(
    services: Services, jobs: Sequence[Job], vault_ids: Sequence[str], *, force: bool
) -> list[tuple[VaultEntry | None, tuple[Job, ...]]]:
    """What there is to do on each of these vaults now: somebody else may have done it since the round began."""
    now, wanted = services.clock(), reach(jobs)
    due = {} if force else services.registry_read(lambda tx: due_jobs(tx, wanted, vault_ids, now), current=True)
    found: list[tuple[VaultEntry | None, tuple[Job, ...]]] = []
    for vault_id in vault_ids:
        entry = _entry(services, vault_id)
        if vault_id != REGISTRY and entry is None:
            continue
        kinds = ("", REGISTRY) if entry is None else ("", entry.charter)
        chosen = tuple(
            job for job in jobs if wanted[job.name] in kinds and (force or job.name in due.get(vault_id, ()))
        )
        if chosen:
            found.append((entry, chosen))
    return found


def _entry(services: Services, vault_id: str) -> VaultEntry | None:
    """The active vault of that id; None for the registry and for a vault that is not active any more."""
    found = services.registry_read(lambda tx: find_vault(tx, vault_id))
    return found if found is not None and found.status == "active" else None


def _work(
    services: Services,
    due: Sequence[tuple[VaultEntry | None, tuple[Job, ...]]],
    deadline: Moment,
    workers: int,
    stopped: Callable[[], bool],
) -> list[Done]:
    """Do it, several vaults at a time."""

    def one(each: tuple[VaultEntry | None, tuple[Job, ...]]) -> Done:
        return look_after(services, *each, deadline, stopped)

    if workers == 1 or len(due) < 2:
        return [one(each) for each in due]
    with ThreadPoolExecutor(min(workers, len(due)), thread_name_prefix="maintain") as threads:
        return list(threads.map(one, due))
