"""What a maintenance job is, and what became of one. Data only; knows no job by name and no schedule of a round."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from db.clock import Moment
from db.registry.directory import VaultEntry
from db.transaction import WriteTx
from db.vault.vault import Vault
from handlers.services import Services

# Flat: counts and short texts, kept in the registry and shown to operators. Never anything personal. A name that begins
# with `_` is for `record` alone and not kept.
Report = Mapping[str, int | str]
Scope = Literal["registry", "vault"]
# (services, vault, entry, now, deadline). entry: None for the registry. deadline: the moment after which the work
# should stop where stopping loses nothing; compare `services.clock().ms` with `deadline.ms`.
Work = Callable[[Services, Vault, VaultEntry | None, Moment, Moment], Report]
# (tx of the registry, vault id, report, now): what the registry keeps of a report beside the run itself.
Record = Callable[[WriteTx, str, Report, Moment], object]
# A report may ask for an earlier next run than the interval says: a timestamp under this name.
DUE_AT = "due_at"
FAILURES_NAMED = 100


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of upkeep. Its work is idempotent, may be killed anywhere, and may run twice at once.

    every_s: seconds between two runs on one vault. scope: `registry` = on the registry alone, `vault` = on every active
    vault and on the registry. open_every_s: the shorter interval for vaults the serving process has open; None = none.
    charter: the only charter whose vaults it is for; '' = every vault. record: runs in the commit that notes the run,
    one commit for many vaults.
    """

    name: str
    every_s: int
    scope: Scope
    work: Work
    summary: str
    open_every_s: int | None = None
    charter: str = ""
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One job on one vault. error: '' when it went well, else a code or a kind of error, without personal data."""

    vault_id: str
    job: str
    report: Report
    error: str = ""


@dataclass(slots=True)
class JobTotals:
    """What a job did over the vaults of a round. sums: of the whole numbers in its reports, by name."""

    done: int = 0
    failed: int = 0
    sums: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class RoundReport:
    """What became of a round. Its size does not grow with the vaults that went well.

    vaults: worked on. jobs: totals by job. failures: the first hundred. left: ids of the due vaults that were not
    reached before the deadline.
    """

    vaults: int = 0
    jobs: dict[str, JobTotals] = field(default_factory=dict[str, JobTotals])
    failures: list[Outcome] = field(default_factory=list[Outcome])
    left: list[str] = field(default_factory=list[str])

    @property
    def failed(self) -> int:
        """How many runs failed."""
        return sum(totals.failed for totals in self.jobs.values())

    @property
    def runs(self) -> int:
        """How many runs there were."""
        return sum(totals.done + totals.failed for totals in self.jobs.values())

    def add(self, outcome: Outcome) -> None:
        """Count one run."""
        totals = self.jobs.setdefault(outcome.job, JobTotals())
        if outcome.error:
            totals.failed += 1
            if len(self.failures) < FAILURES_NAMED:
                self.failures.append(outcome)
            return
        totals.done += 1
        for name, value in outcome.report.items():
            if isinstance(value, int) and "." not in name and not name.startswith("_"):
                totals.sums[name] = totals.sums.get(name, 0) + value


def time_is_over(services: Services, deadline: Moment) -> Callable[[], bool]:
    """Whether the deadline has come, as a question to be asked again and again."""
    return lambda: services.clock().ms >= deadline.ms
