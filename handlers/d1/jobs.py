"""Imports and exports under way: worked on in threads of this process, gone on with when another process died.

Whoever asks for a job that nobody works on has it worked on. A request waits a second, not for the end. In a process
that stands still between requests no thread would get on: there the request that begins a job works on it itself, for
as long as a request may take, and maintenance does what takes longer.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from typing import Any, Final

from db.clock import Moment
from db.errors import CommitUnknown, Unavailable, VaultError
from db.registry.database_jobs import (
    KEPT_S,
    DatabaseJob,
    abandoned_jobs,
    end_job,
    forget_job,
    get_job,
    has_job,
    hold_job,
    jobs_to_forget,
    release_job,
)
from db.registry.directory import find_vault, require_active
from db.registry.maintenance_runs import REGISTRY, ask_for_run, is_asked_for
from db.transaction import Actor
from db.transfer.objects import IMPORTS, export_key, import_key, uploads
from handlers.d1.work import run_job
from handlers.http.errors import report_fault
from handlers.services import Services

_ACTOR: Final = Actor("databases", "job", "", "d1.job")
_WORKERS = 2
# A job is held for a minute; it is taken hold of again well before.
_RENEWED_MS = 20_000
# Of the 29 seconds that a request may take on Lambda; what comes before and after takes some.
IN_REQUEST_S = 20
# As declared in handlers/jobs.
_JOB: Final = "databases"


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
        if self._services.freezes:
            return self._follow_here(job, seconds)
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

    def _follow_here(self, job: DatabaseJob, seconds: float) -> DatabaseJob:
        """As `follow`, with nothing going on behind the answer."""
        services, began = self._services, self._services.clock()
        until_ms = began.ms + IN_REQUEST_S * 1000
        # Tried once, by the request that made it: what takes longer would begin anew with every request.
        is_new = job.created_at > began.later(seconds=-IN_REQUEST_S) and job.held_until is None
        if is_new and _take(services, job, self._holder):
            work_on(services, job, self._holder, lambda: services.clock().ms >= until_ms)
        else:
            self._stopping.wait(seconds)
        job = services.registry_read(lambda tx: get_job(tx, job.id), current=True)
        if job.status == "active":
            self._leave_to_maintenance()
        return job

    def _leave_to_maintenance(self) -> None:
        now = self._services.clock()
        at = now.later(seconds=1)
        if not self._services.registry_read(lambda tx: is_asked_for(tx, REGISTRY, _JOB, at)):
            self._services.registry_write(lambda tx: ask_for_run(tx, REGISTRY, _JOB, at), _ACTOR, now)

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
        if job.created_at <= now.later(seconds=-KEPT_S):
            _end(services, job, [], error="it was not done within a day; try it in smaller parts")
        elif _take(services, job, holder):
            work_on(services, job, holder, is_over)
            counts["resumed"] += 1
    for job in services.registry_read(lambda tx: jobs_to_forget(tx, now)):
        key = (import_key if job.kind == "import" else export_key)(job.vault_id, job.filename)
        services.site.store.delete([key], op="jobs:delete")
        _forget(services, job, now)
        counts["forgotten"] += 1
    _remove_unused(services, now)
    return counts


def _remove_unused(services: Services, now: Moment) -> None:
    """Remove the files of a day ago that no job is about: uploaded, and never imported."""
    store, before_ms = services.site.store, now.ms - KEPT_S * 1000
    for found in uploads(store):
        vault_id, _, filename = found.key.removeprefix(IMPORTS).partition("/")
        known = partial(has_job, vault_id=vault_id, filename=filename)
        if found.modified_ms < before_ms and not services.registry_read(known, current=True):
            store.delete([found.key], op="jobs:delete")


def _take(services: Services, job: DatabaseJob, holder: str) -> bool:
    now = services.clock()
    return services.registry_write(lambda tx: hold_job(tx, job.id, holder, now), _ACTOR, now)


def _forget(services: Services, job: DatabaseJob, now: Moment) -> None:
    services.registry_write(lambda tx: forget_job(tx, job.id), _ACTOR, now)
