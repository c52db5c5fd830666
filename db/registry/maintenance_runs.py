"""When each maintenance job last ran on each vault, what came of it, and what is due. Runs no job, opens no vault.

Two rounds at once are not kept apart by a lease: the work of a job is idempotent, and who looks at what is due before
each batch shares the work with the other. A note that comes late never hides a newer one.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import LiteralString

from db.clock import Moment
from db.transaction import ReadTx, Row, SqlValue, WriteTx

# The registry is a vault like others, and in no directory. As a group of jobs, it means those for the registry alone.
REGISTRY = "registry"
# What a new vault is left alone for: whoever makes it is still at work with it.
SETTLING_S = 3600
FIRST_WAIT_S = 15 * 60
LONGEST_WAIT_S = 6 * 3600
# The daily jobs of vaults that were made at once drift apart: a wait is shortened by up to so many percent.
SPREAD_PERCENT = 10


@dataclass(frozen=True, slots=True)
class Run:
    """The last run of one job on one vault, or that one was asked for. report: of the last run that went well."""

    vault_id: str
    job: str
    last_ran_at: str | None
    last_succeeded_at: str | None
    next_due_at: str
    outcome: str | None
    failures: int
    report: Mapping[str, int | str] = field(default_factory=dict[str, int | str])
    error: str | None = None


@dataclass(frozen=True, slots=True)
class JobState:
    """How one job stands over all vaults it is for.

    vaults: that it is for. never: vaults it should have run on and never did. failing: whose last run failed. overdue:
    due and not run. oldest_vault_id, oldest_due_at: the vault that has waited longest, if any is overdue.
    """

    job: str
    vaults: int
    last_succeeded_at: str | None
    never: int
    failing: int
    overdue: int
    oldest_vault_id: str | None
    oldest_due_at: str | None


# jobs: a JSON object of job names and the charter each is for ('' = every one, `registry` = the registry alone).
_PAIRS: LiteralString = """
WITH wanted (job, charter) AS MATERIALIZED (SELECT key, value FROM json_each(:jobs)),
     fleet (id, charter, created_at) AS (
         SELECT id, charter, created_at FROM vaults WHERE status = 'active'
         UNION ALL SELECT 'registry', 'registry', '' ),
     pairs AS (
         SELECT f.id AS vault_id, w.job, r.last_ran_at, r.last_succeeded_at, r.outcome,
                coalesce(r.next_due_at, strftime('%Y-%m-%dT%H:%M:%fZ', f.created_at, '+1 hour'), '') AS due_at,
                CASE WHEN r.job IS NULL THEN f.created_at <= :settled ELSE r.next_due_at <= :now END AS is_due
           FROM fleet AS f CROSS JOIN wanted AS w
           LEFT JOIN maintenance_runs AS r ON r.vault_id = f.id AND r.job = w.job
          WHERE w.charter IN ('', f.charter) )
"""
_DUE_VAULTS: LiteralString = f"""{_PAIRS}
SELECT vault_id FROM pairs WHERE is_due
 GROUP BY vault_id ORDER BY vault_id <> 'registry', min(due_at), vault_id LIMIT :limit
"""


def due_vaults(tx: ReadTx, jobs: Mapping[str, str], now: Moment, limit: int) -> list[str]:
    """Ids of active vaults that some job is due on, at most `limit`: the registry first, then the longest waiting.

    jobs: name of each job and the charter it is for; '' = every vault, the registry included; `registry` = it alone.
    A vault is left alone for its first hour.
    """
    settled = now.later(seconds=-SETTLING_S)
    rows = tx.rows(_DUE_VAULTS, jobs=json.dumps(dict(jobs)), now=now.text, settled=settled, limit=limit)
    return [row["vault_id"] for row in rows]


_DUE_JOBS: LiteralString = f"""{_PAIRS}
SELECT vault_id, job FROM pairs WHERE is_due AND vault_id IN (SELECT value FROM json_each(:vaults))
"""


def due_jobs(tx: ReadTx, jobs: Mapping[str, str], vault_ids: Collection[str], now: Moment) -> dict[str, frozenset[str]]:
    """The jobs that are due on each of these vaults; a vault without any, or that is not active, is left out."""
    settled, wanted = now.later(seconds=-SETTLING_S), json.dumps(dict(jobs))
    vaults = json.dumps(list(vault_ids))
    found: dict[str, set[str]] = {}
    for row in tx.rows(_DUE_JOBS, jobs=wanted, now=now.text, settled=settled, vaults=vaults):
        found.setdefault(row["vault_id"], set()).add(row["job"])
    return {vault_id: frozenset(names) for vault_id, names in found.items()}


def find_run(tx: ReadTx, vault_id: str, job: str) -> Run | None:
    """What is known of the job on this vault, or None."""
    row = tx.row("SELECT * FROM maintenance_runs WHERE vault_id = :vault AND job = :job", vault=vault_id, job=job)
    return None if row is None else _run(row)


def list_runs(tx: ReadTx, vault_id: str) -> list[Run]:
    """What is known of every job on this vault, by name."""
    rows = tx.rows("SELECT * FROM maintenance_runs WHERE vault_id = :vault ORDER BY job", vault=vault_id)
    return [_run(row) for row in rows]


# A due time later than the start of this run was asked for while it ran, and stands if it is the earlier one.
_RECORD = """
INSERT INTO maintenance_runs
  (vault_id, job, last_ran_at, last_succeeded_at, next_due_at, outcome, failures, report, error)
VALUES (:vault, :job, :ran, :succeeded, :due, :outcome, :failures, :report, :error)
ON CONFLICT (vault_id, job) DO UPDATE SET
  last_ran_at = excluded.last_ran_at,
  last_succeeded_at = coalesce(excluded.last_succeeded_at, last_succeeded_at),
  next_due_at = CASE WHEN next_due_at > excluded.last_ran_at THEN min(next_due_at, excluded.next_due_at)
                     ELSE excluded.next_due_at END,
  outcome = excluded.outcome, failures = excluded.failures, error = excluded.error,
  report = CASE excluded.outcome WHEN 'ok' THEN excluded.report ELSE report END
 WHERE last_ran_at IS NULL OR last_ran_at <= excluded.last_ran_at
"""


def record_success(
    tx: WriteTx, vault_id: str, job: str, report: Mapping[str, int | str], every_s: int, due_at: str | None, ran: Moment
) -> None:
    """Note a run that went well. every_s: until the next; due_at: the next if it is sooner. ran: when it began."""
    next_at = ran.later(seconds=_spread(every_s, ran))
    due_at = next_at if due_at is None else min(due_at, next_at)
    text = json.dumps(dict(report), separators=(",", ":"))
    _record(tx, vault_id, job, ran, succeeded=ran.text, due=due_at, outcome="ok", failures=0, report=text, error=None)


def record_failure(tx: WriteTx, vault_id: str, job: str, error: str, every_s: int, ran: Moment) -> None:
    """Note a run that failed: tried again after 15 minutes, then twice as long each time, 6 hours or `every_s` at most.

    error: a code or a kind of error, nothing personal.
    """
    known = find_run(tx, vault_id, job)
    failures = 1 if known is None else known.failures + 1
    wait_s = min(FIRST_WAIT_S * 2 ** min(failures - 1, 10), LONGEST_WAIT_S, every_s)
    due = ran.later(seconds=_spread(wait_s, ran))
    _record(
        tx, vault_id, job, ran, succeeded=None, due=due, outcome="failed", failures=failures, report="{}", error=error
    )


def ask_for_run(tx: WriteTx, vault_id: str, job: str, at: str) -> None:
    """Have the job run on this vault at that time, unless it is due earlier anyway. at: timestamp."""
    tx.execute(
        "INSERT INTO maintenance_runs (vault_id, job, next_due_at) VALUES (:vault, :job, :at)"
        " ON CONFLICT (vault_id, job) DO UPDATE SET next_due_at = excluded.next_due_at"
        " WHERE next_due_at > excluded.next_due_at",
        vault=vault_id,
        job=job,
        at=at,
    )


def is_asked_for(tx: ReadTx, vault_id: str, job: str, at: str) -> bool:
    """Whether the job is due on this vault by that time anyway: `ask_for_run` would change nothing."""
    due = "SELECT 1 FROM maintenance_runs WHERE vault_id = :vault AND job = :job AND next_due_at <= :at"
    return tx.value(due, vault=vault_id, job=job, at=at) is not None


_STATES: LiteralString = f"""{_PAIRS}
SELECT job, count(*) AS vaults, max(last_succeeded_at) AS last_succeeded_at,
       sum(is_due AND last_ran_at IS NULL) AS never, sum(outcome IS 'failed') AS failing, sum(is_due) AS overdue,
       min(CASE WHEN is_due THEN due_at END) AS oldest_due_at,
       min(CASE WHEN is_due THEN due_at || ' ' || vault_id END) AS oldest
  FROM pairs GROUP BY job ORDER BY job
"""


def job_states(tx: ReadTx, jobs: Mapping[str, str], now: Moment) -> list[JobState]:
    """How each of the jobs stands, by name. jobs: as for `due_vaults`."""
    settled = now.later(seconds=-SETTLING_S)
    return [
        JobState(
            job=row["job"],
            vaults=row["vaults"],
            last_succeeded_at=row["last_succeeded_at"],
            never=row["never"],
            failing=row["failing"],
            overdue=row["overdue"],
            oldest_vault_id=row["oldest"] and row["oldest"].rpartition(" ")[2],
            oldest_due_at=row["oldest_due_at"] or None,
        )
        for row in tx.rows(_STATES, jobs=json.dumps(dict(jobs)), now=now.text, settled=settled)
    ]


def _record(tx: WriteTx, vault_id: str, job: str, ran: Moment, **values: SqlValue) -> None:
    tx.execute(_RECORD, vault=vault_id, job=job, ran=ran.text, **values)


def _spread(seconds: int, now: Moment) -> int:
    """The seconds, shortened by a random part of up to a tenth."""
    part = int.from_bytes(now.random_bytes(2), "big") * SPREAD_PERCENT / (100 << 16)
    return max(1, int(seconds * (1 - part)))


def _run(row: Row) -> Run:
    return Run(
        vault_id=row["vault_id"],
        job=row["job"],
        last_ran_at=row["last_ran_at"],
        last_succeeded_at=row["last_succeeded_at"],
        next_due_at=row["next_due_at"],
        outcome=row["outcome"],
        failures=row["failures"],
        report=json.loads(row["report"]),
        error=row["error"],
    )
