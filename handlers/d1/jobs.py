"""Imports and exports under way: worked on in threads of this process, gone on with when another process died.

Whoever asks for a job that nobody works on has it worked on. A request waits a second, not for the end.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, Final

from db.clock import Moment
from db.errors import CommitUnknown, Unavailable, VaultError
from db.registry.database_jobs import (
    DatabaseJob,
    abandoned_jobs,
    end_job,
    forget_job,
    get_job,
    hold_job,
    jobs_to_forget,
    release_job,
)
from db.registry.directory import find_vault, require_active
from db.transaction import Actor
from db.transfer.objects import job_key
from handlers.d1.work import run_job
from handlers.errors import report_fault
from handlers.services import Services

_ACTOR: Final = Actor("databases", "job", "", "d1.job")
_WORKERS = 2
# A job is held for a minute; it is taken hold of again well before.
_RENEWED_MS = 20_000


class Stopped(Exception):
    """The process ends, or another has the job: let go of it."""


class DatabaseJobs:
    """The jobs this process works on."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._holder = services.clock().new_id()
        self._threads = ThreadPoolExecutor(_WORKERS, thread_name_prefix="database-job")
        self._lock = threading.Lock()
        self._running: dict[str, Future[None]] = {}
        self._stopping = threading.Event()

    def follow(self, job: DatabaseJob, seconds: float) -> DatabaseJob:
        """The job after at most so many seconds; worked on here if nobody else has it."""
        if job.status != "active":
            return job
        future = self._begin(job)
        if future is None:
            # Another process has it. There is no telling when it ends but by asking.
            self._stopping.wait(seconds)
        else:
            wait([future], seconds)
        return self._services.registry_read(lambda tx: get_job(tx, job.id), current=True)

    def stop(self) -> None:
        """Let go of every job; what was not committed is as if it had not begun."""
        self._stopping.set()
        self._threads.shutdown(cancel_futures=True)

    def _begin(self, job: DatabaseJob) -> "Future[None] | None":
        with self._lock:
            running = self._running.get(job.id)
            if running is not None and not running.done():
                return running
            now = self._services.clock()
            if job.held_until is not None and job.held_until > now.text:
                return None
            if not self._services.registry_write(lambda tx: hold_job(tx, job.id, self._holder, now), _ACTOR, now):
                return None
            self._running = {name: known for name, known in self._running.items() if not known.done()}
            self._running[job.id] = future = self._threads.submit(
                work_on, self._services, job, self._holder, self._stopping.is_set
            )
            return future


def work_on(services: Services, job: DatabaseJob, holder: str, is_over: Callable[[], bool]) -> None:
    """Do the job, which the holder has, to its end or until `is_over`, and keep how it ended."""
    held_ms = services.clock().ms

    def go_on() -> None:
        nonlocal held_ms
        now = services.clock()
        if is_over():
            raise Stopped
        if now.ms - held_ms >= _RENEWED_MS:
            if not services.registry_write(lambda tx: hold_job(tx, job.id, holder, now), _ACTOR, now):
                raise Stopped
            held_ms = now.ms

    try:
        entry = require_active(services.registry_read(lambda tx: find_vault(tx, job.vault_id), current=True))
        result, messages = run_job(services, entry, job, go_on)
        _end(services, job, messages, result=result)
    except (Stopped, CommitUnknown):
        # Whether an import was committed is found out by whoever goes on with it.
        with suppress(VaultError):
            services.registry_write(lambda tx: release_job(tx, job.id, holder), _ACTOR, services.clock())
    except VaultError as exc:
        told = [f"{exc.details} failed" if exc.details else "failed", "the database is as it was"]
        _end(services, job, told if job.kind == "import" else told[:1], error=exc.message)
    except Exception as exc:
        report_fault(exc, job.id)
        _end(services, job, [], error=f"internal error; reference = {job.id}")


def _end(
    services: Services,
    job: DatabaseJob,
    messages: list[str],
    *,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    now = services.clock()
    # The registry out of reach: the hold runs out, and whoever asks next has the job ended.
    with suppress(Unavailable, CommitUnknown):
        services.registry_write(lambda tx: end_job(tx, job.id, now, messages, result=result, error=error), _ACTOR, now)


def tend_jobs(services: Services, now: Moment, deadline: Moment) -> Mapping[str, int]:
    """Go on with jobs that nobody works on; forget those that ended a day ago, with their files. Counts of both."""
    holder, counts = now.new_id(), {"resumed": 0, "forgotten": 0}

    def is_over() -> bool:
        return services.clock().ms >= deadline.ms

    for job in services.registry_read(lambda tx: abandoned_jobs(tx, now), current=True):
        if is_over():
            break
        if _take(services, job, holder):
            work_on(services, job, holder, is_over)
            counts["resumed"] += 1
    for job in services.registry_read(lambda tx: jobs_to_forget(tx, now)):
        services.site.store.delete([job_key(job.vault_id, job.filename)], op="jobs:delete")
        _forget(services, job, now)
        counts["forgotten"] += 1
    return counts


def _take(services: Services, job: DatabaseJob, holder: str) -> bool:
    now = services.clock()
    return services.registry_write(lambda tx: hold_job(tx, job.id, holder, now), _ACTOR, now)


def _forget(services: Services, job: DatabaseJob, now: Moment) -> None:
    services.registry_write(lambda tx: forget_job(tx, job.id), _ACTOR, now)
