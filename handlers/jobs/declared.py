"""Every maintenance job, declared in one place: the platform's own and those of the charters. Runs none."""

from collections.abc import Mapping, Sequence
from functools import cache

from db.clock import Moment
from db.errors import NotFound
from db.registry.daily_figures import keep_figures
from db.registry.directory import VaultEntry
from db.registry.maintenance_runs import REGISTRY
from db.transaction import WriteTx
from db.vault.vault import Vault
from domain.charter import CharterCount, CharterJob
from domain.charters import CHARTERS
from handlers.jobs import audit, contents, files, names, people, sweep, upkeep
from handlers.jobs.job import DUE_AT, Job, Record, Report, Work
from handlers.services import Services

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
# The jobs of the charters together, where one names jobs.
RETENTION = "retention"


def _drill(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Prove the backups of the vaults whose turn it is."""
    from handlers.upkeep.drills import drill_due  # here: it loads what only a drill needs

    return _going_on(drill_due(services, now, deadline), now)


def _purge(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Erase the tenants whose 30 days are over."""
    from handlers.tenant.purging import purge_due  # as the drill

    return _going_on(purge_due(services, now, deadline), now)


def _databases(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Go on with imports and exports that nobody works on; forget those of the day before."""
    from handlers.d1.jobs import tend_jobs  # as the drill

    return {name: count for name, count in tend_jobs(services, now, deadline).items() if count}


def _going_on(counts: Mapping[str, int], now: Moment) -> Report:
    """The counts; what is left for want of time is due again in a minute."""
    return {**counts, DUE_AT: now.later(seconds=_MINUTE_S)} if counts.get("left") else dict(counts)


PLATFORM_JOBS: tuple[Job, ...] = (
    Job(
        "outbox",
        6 * _HOUR_S,
        "vault",
        upkeep.deliver,
        "Send mail and webhooks that are due.",
        open_every_s=_MINUTE_S,
    ),
    Job(
        "public",
        6 * _HOUR_S,
        "vault",
        upkeep.publish,
        "Gather what anybody may read of a vault, where whoever changed it could not.",
        open_every_s=_MINUTE_S,
    ),
    Job("names", _HOUR_S, "registry", names.settle, "Settle the addresses that interrupted writers held."),
    Job("keys", _HOUR_S, "registry", upkeep.rotate_keys, "Renew the keys that sign access tokens."),
    Job("tokens", _DAY_S, "vault", upkeep.forget_expired, "Remove what has expired: codes, links, sessions, answers."),
    Job(
        "log",
        _DAY_S,
        "vault",
        upkeep.tend_log,
        "Make snapshots, fold and prune the log.",
        open_every_s=15 * _MINUTE_S,
    ),
    Job(
        "audit",
        _DAY_S,
        "vault",
        audit.check_chain,
        "Verify the audit chain and anchor its head.",
        record=audit.keep_anchor,
    ),
    Job(
        "statistics",
        _DAY_S,
        "vault",
        contents.count,
        "Count rows, bytes and commits.",
        record=contents.record_count,
    ),
    Job(
        "people",
        _DAY_S,
        "vault",
        people.tend_people,
        "Register who was forgotten, overwrite what they left in the file, prune old audit rows.",
        open_every_s=_MINUTE_S,
    ),
    Job("integrity", 7 * _DAY_S, "vault", contents.check, "Let SQLite check tables, indexes and references."),
    Job("optimise", 7 * _DAY_S, "vault", contents.optimise, "Renew the query planner's figures where they are off."),
    Job("files", _DAY_S, "vault", files.collect_files, "Remove contents of files that nothing can need any more."),
    Job("contents", 7 * _DAY_S, "vault", files.check_files, "Look whether the store has the contents of all files."),
    Job("sweep", _DAY_S, "registry", sweep.sweep, "Remove what interrupted writers left in the store."),
    Job("databases", _HOUR_S, "registry", _databases, "Go on with imports and exports that were left."),
    Job("purge", _DAY_S, "registry", _purge, "Erase tenants that were deleted 30 days ago, with a certificate."),
    Job("drill", _DAY_S, "registry", _drill, "Restore a sample of the vaults and compare."),
)


def declared_jobs() -> tuple[Job, ...]:
    """The platform's jobs, then those of each charter as `charter.job`."""
    return (*PLATFORM_JOBS, *(job for name in CHARTERS for job in _jobs_of(name)))


@cache
def _jobs_of(charter: str) -> tuple[Job, ...]:
    return tuple(_charter_job(charter, job) for job in CHARTERS[charter].jobs)


def chosen_jobs(names: Sequence[str] | None) -> tuple[Job, ...]:
    """The jobs of these names, all for None; `retention` stands for those of the charters. Raises NotFound."""
    jobs = declared_jobs()
    if names is None:
        return jobs
    known = {job.name for job in jobs} | {RETENTION}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise NotFound(f"no job {unknown[0]!r}; there are: {', '.join(sorted(known))}", code="job_not_found")
    return tuple(job for job in jobs if job.name in names or (job.charter and RETENTION in names))


def reach(jobs: Sequence[Job]) -> Mapping[str, str]:
    """The vaults each job is for, as the registry's table of runs wants it."""
    return {job.name: REGISTRY if job.scope == "registry" else job.charter for job in jobs}


def _charter_job(charter: str, job: CharterJob | CharterCount) -> Job:
    name = f"{charter}.{job.name}"
    if isinstance(job, CharterJob):
        return Job(name, job.every_s, "vault", _charter_work(name, job), job.summary, charter=charter)
    record = _by_day(name) if job.by_day else None
    return Job(name, job.every_s, "vault", _charter_count(job), job.summary, charter=charter, record=record)


def _charter_work(name: str, job: CharterJob) -> Work:
    def work(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
        changed = vault.write(lambda tx: job.work(tx, now), upkeep.actor_of(name), now).value
        return {"rows": changed} if changed else {}

    return work


def _charter_count(job: CharterCount) -> Work:
    def work(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
        return dict(vault.read(lambda tx: job.count(tx, now)).value)

    return work


def _by_day(name: str) -> Record:
    def record(tx: WriteTx, vault_id: str, report: Report, now: Moment) -> bool:
        return keep_figures(tx, vault_id, name, {key: int(value) for key, value in report.items()}, now)

    return record
