"""Maintenance beside a server: a round every minute in a thread of its own. Knows intervals; no job by name."""

import logging
import threading

from db.clock import Moment
from handlers.jobs.declared import declared_jobs
from handlers.jobs.job import Job
from handlers.services import Services
from handlers.upkeep.rounds import look_after_open, run_due

EVERY_S = 60
# Of one round: requests share the processor with it, and so does the next look at the open vaults.
ROUND_S = 300
_LOG = logging.getLogger("vaultry")


class Scheduler:
    """Runs what is due on every active vault, and oftener what open vaults need. `stop` before closing the services."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)
        # When each job last looked at the open vaults, by this process.
        self._looked_ms: dict[str, int] = {}

    def start(self) -> None:
        """Begin; the first round comes after a minute."""
        self._thread.start()

    def stop(self) -> None:
        """End after the job that is running, and wait for that."""
        self._stopped.set()
        self._thread.join()

    def round(self) -> None:
        """One round: the open vaults, then what is due anywhere."""
        look_after_open(self._services, self._jobs_for_open(), self._stopped.is_set)
        deadline = Moment(self._services.clock().ms + ROUND_S * 1000)
        # One vault at a time: requests come first.
        run_due(self._services, deadline=deadline, workers=1, stopped=self._stopped.is_set)

    def _run(self) -> None:
        while not self._stopped.wait(EVERY_S):
            try:
                self.round()
            except Exception as exc:
                # The registry could not be read or written; the next round tries again. Its text may quote a row.
                _LOG.error("maintenance round failed: %s", type(exc).__name__)

    def _jobs_for_open(self) -> list[Job]:
        """The jobs whose shorter interval for open vaults is over."""
        now_ms = self._services.clock().ms
        due: list[Job] = []
        for job in declared_jobs():
            if job.open_every_s is not None and now_ms - self._looked_ms.get(job.name, 0) >= job.open_every_s * 1000:
                self._looked_ms[job.name] = now_ms
                due.append(job)
        return due
