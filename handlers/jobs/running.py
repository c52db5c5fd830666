"""Running jobs on one vault, and noting what became of many. Knows how a failure is told; not what is due."""

import json
import logging
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from db.clock import Moment
from db.errors import CorruptLog, MigrationFailed, Unavailable, VaultError
from db.registry.directory import VaultEntry, find_vault
from db.registry.maintenance_runs import REGISTRY, record_failure, record_success
from db.transaction import Actor, WriteTx
from handlers.jobs.job import DUE_AT, Job, Outcome, time_is_over
from handlers.jobs.opening import opened
from handlers.services import Services

_ACTOR = Actor("maintenance", "job", "", "maintain")
_LOG = logging.getLogger("vaultry")
# Errors of the engine whose messages name objects, steps and tables. Others are told by their code alone.
_TELLING = (CorruptLog, MigrationFailed, Unavailable)
_TELLING_CODES = frozenset(
    {"audit_broken", "anchor_lost", "vault_damaged", "contents_lost", "vault_not_found", "purge_failed"}
)
_ERROR_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Done:
    """What a round did on one vault. ran: when it began. whole: no job was left for want of time."""

    vault_id: str
    ran: Moment
    outcomes: tuple[Outcome, ...]
    whole: bool


def look_after(
    services: Services,
    entry: VaultEntry | None,
    jobs: Sequence[Job],
    deadline: Moment,
    stopped: Callable[[], bool],
) -> Done:
    """Run the jobs on one vault. What keeps it from being opened is the failure of each."""
    vault_id, ran = REGISTRY if entry is None else entry.id, services.clock()
    passed = time_is_over(services, deadline)
    outcomes: list[Outcome] = []
    if stopped() or passed():
        return Done(vault_id, ran, (), whole=False)
    try:
        with opened(services, entry) as vault:
            for job in jobs:
                if stopped() or passed():
                    break
                try:
                    outcomes.append(Outcome(vault_id, job.name, job.work(services, vault, entry, ran, deadline)))
                except Exception as exc:
                    outcomes.append(_failure(vault_id, job.name, exc))
    except Exception as exc:
        reached = {outcome.job for outcome in outcomes}
        outcomes += [_failure(vault_id, job.name, exc) for job in jobs if job.name not in reached]
    return Done(vault_id, ran, tuple(outcomes), whole=len(outcomes) == len(jobs))


def _failure(vault_id: str, job: str, exc: Exception) -> Outcome:
    """The failed run, told to the log as well. Not the text of an unknown error: it may quote a row."""
    place = traceback.extract_tb(exc.__traceback__)[-1]
    error = exc.code if isinstance(exc, VaultError) else type(exc).__name__
    if isinstance(exc, _TELLING) or error in _TELLING_CODES:
        error = f"{error}: {exc}"[:_ERROR_CHARACTERS]
    failed = {"event": "JobFailed", "job": job, "vault": vault_id, "error": error}
    _LOG.error("%s", json.dumps({**failed, "at": f"{place.filename}:{place.lineno}"}))
    return Outcome(vault_id, job, {}, error)


def note(services: Services, jobs: Iterable[Job], done: Sequence[Done]) -> None:
    """Keep what became of the vaults: one commit for all of them."""
    known = {job.name: job for job in jobs}
    if not any(each.outcomes for each in done):
        return

    def work(tx: WriteTx) -> None:
        for each in done:
            # A vault that was purged meanwhile takes no notes.
            if each.vault_id == REGISTRY or find_vault(tx, each.vault_id) is not None:
                for outcome in each.outcomes:
                    _note_one(tx, known[outcome.job], outcome, each.ran)

    services.registry_write(work, _ACTOR, services.clock())


def _note_one(tx: WriteTx, job: Job, outcome: Outcome, ran: Moment) -> None:
    if outcome.error:
        record_failure(tx, outcome.vault_id, job.name, outcome.error, job.every_s, ran)
        return
    due_at = outcome.report.get(DUE_AT)
    kept = {name: value for name, value in outcome.report.items() if name != DUE_AT and not name.startswith("_")}
    record_success(tx, outcome.vault_id, job.name, kept, job.every_s, None if due_at is None else str(due_at), ran)
    if job.record is not None:
        job.record(tx, outcome.vault_id, outcome.report, ran)
