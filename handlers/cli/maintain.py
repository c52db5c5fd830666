"""`vaultry maintain`: the rounds a server runs by itself, by hand; and how maintenance stands. Prints; runs no job."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from db.clock import Moment
from db.registry.daily_figures import DayFigures, days_counted
from db.registry.directory import find_vault
from db.registry.maintenance_runs import REGISTRY, JobState, Run, job_states, list_runs
from handlers.cli.output import json_option, note, print_json, print_table, printable
from handlers.cli.progress import Report, interruption, progress
from handlers.cli.session import living_tenant, session
from handlers.jobs.declared import chosen_jobs, reach
from handlers.jobs.job import RoundReport
from handlers.services import Services
from handlers.upkeep.rounds import run_due

_SHOWN_FAILURES = 20


@click.command()
@click.argument("job", required=False)
@click.option("--vault", "slug", metavar="SLUG", help="Only this tenant, or `registry`.")
@click.option("--force", is_flag=True, help="Whether it is due or not.")
@click.option(
    "--status", "show_status", is_flag=True, help="Only say how maintenance stands; status 1 unless all is well."
)
@click.option("--minutes", default=60, show_default=True, type=click.IntRange(1, 1440), help="Begin no job after that.")
@json_option
def maintain(job: str | None, slug: str | None, *, force: bool, show_status: bool, minutes: int, as_json: bool) -> None:
    """Run the maintenance that is due.

    That is every job, or JOB (`retention`: those of the charters), on the registry and all active vaults. `vaultry
    serve` does this by itself, as do the schedules on AWS. Status 1 when a job failed, which is then named; a failure
    stops no other job and no other vault. --status with --vault shows every job of that tenant; with JOB besides what
    it counted day by day, if it does.

    Interrupted: what was done stays, the rest is still due; up to 50 vaults may be looked after once more.

    \b
    Example:
      vaultry maintain
      vaultry maintain audit --vault aurora --force
      vaultry maintain --status
    """
    names = None if job is None else [job]
    with session() as services:
        # Charters that are not in the box are known from here on.
        chosen = chosen_jobs(names)
        vault_id = None if slug is None else _vault_id(services, slug)
        if show_status and vault_id is not None:
            days = services.registry_read(lambda tx: days_counted(tx, vault_id, job or ""), current=True)
            if days:
                _show_days(days, as_json=as_json)
            else:
                _show_runs(services.registry_read(lambda tx: list_runs(tx, vault_id), current=True), as_json=as_json)
            return
        if show_status:
            now, wanted = services.clock(), reach(chosen)
            states = services.registry_read(lambda tx: job_states(tx, wanted, now), current=True)
            _show_states(services, states, as_json=as_json)
            return
        ids = None if vault_id is None else [vault_id]
        with progress() as bar:
            report = _run(services, names, ids, minutes, bar, force=force)
        _show_round(services, report, as_json=as_json)
    if report.failed:
        raise click.exceptions.Exit(1)


def _run(
    services: Services,
    jobs: Sequence[str] | None,
    vaults: Sequence[str] | None,
    minutes: int,
    bar: Report,
    *,
    force: bool,
) -> RoundReport:
    """The round; the first Ctrl-C ends it after the running jobs, with what was done noted."""
    deadline = Moment(services.clock().ms + minutes * 60_000)
    with interruption() as asked:
        report = run_due(
            services,
            jobs=jobs,
            vaults=vaults,
            deadline=deadline,
            force=force,
            stopped=lambda: asked.asked,
            progress=lambda done, total: bar("vaults", done, total),
        )
        asked.check()
    return report


def _vault_id(services: Services, slug: str) -> str:
    return REGISTRY if slug == REGISTRY else living_tenant(services, slug).id


def _show_round(services: Services, report: RoundReport, *, as_json: bool) -> None:
    if as_json:
        jobs = {name: asdict(totals) for name, totals in report.jobs.items()}
        failures = [asdict(outcome) for outcome in report.failures]
        print_json({"vaults": report.vaults, "jobs": jobs, "failures": failures, "left": report.left})
        return
    if report.jobs:
        rows = [
            (
                name,
                totals.done,
                totals.failed,
                ", ".join(f"{key} {value}" for key, value in totals.sums.items() if value),
            )
            for name, totals in report.jobs.items()
        ]
        print_table(("job", "done", "failed", "did"), rows)
    for outcome in report.failures[:_SHOWN_FAILURES]:
        click.echo(printable(f"failed: {outcome.job} on {outcome.vault_id}: {outcome.error}"), err=True)
    if report.failed > _SHOWN_FAILURES:
        note(f"and {report.failed - _SHOWN_FAILURES} more; the log names them all")
    note(
        f"{report.vaults} vaults looked after" + (f", {len(report.left)} left for want of time" if report.left else "")
    )


def _show_states(services: Services, states: Sequence[JobState], *, as_json: bool) -> None:
    """How each job stands. Status 1 when one fails, or was not run for a day after it was due."""
    late_at = services.clock().later(seconds=-86400)
    bad = {state.job: _verdict(state, late_at) for state in states}
    if as_json:
        print_json([{**asdict(state), "state": bad[state.job]} for state in states])
    else:
        columns = ("job", "state", "last success", "vaults", "failing", "overdue", "waiting longest", "since")
        print_table(columns, [_row(services, state, bad[state.job]) for state in states], null="-")
    if any(verdict != "ok" for verdict in bad.values()):
        raise click.exceptions.Exit(1)


def _verdict(state: JobState, late_at: str) -> str:
    if state.vaults and state.last_succeeded_at is None and state.overdue:
        return "never run"
    if state.failing:
        return "failing"
    return "late" if state.overdue and (state.oldest_due_at or "") < late_at else "ok"


def _row(services: Services, state: JobState, verdict: str) -> tuple[Any, ...]:
    return (
        state.job,
        verdict,
        state.last_succeeded_at,
        state.vaults,
        state.failing,
        state.overdue,
        _name(services, state.oldest_vault_id),
        state.oldest_due_at,
    )


def _name(services: Services, vault_id: str | None) -> str | None:
    """The slug of a vault, if it has one."""
    entry = None if vault_id is None else services.registry_read(lambda tx: find_vault(tx, vault_id))
    return entry.slug if entry is not None and entry.slug else vault_id


def _show_runs(runs: Sequence[Run], *, as_json: bool) -> None:
    """What is known of one vault."""
    if as_json:
        print_json([asdict(run) for run in runs])
        return
    print_table(
        ("job", "last run", "outcome", "next due", "report"),
        [(run.job, run.last_ran_at, run.outcome, run.next_due_at, run.error or _told(run)) for run in runs],
        null="-",
    )


def _show_days(days: Sequence[DayFigures], *, as_json: bool) -> None:
    """What was counted on each day."""
    if as_json:
        print_json([asdict(day) for day in days])
        return
    names = list(dict.fromkeys(name for day in days for name in day.figures))
    print_table(("day", *names), [(day.day, *(day.figures.get(name) for name in names)) for day in days], null="-")


def _told(run: Run) -> str:
    return ", ".join(f"{name} {value}" for name, value in run.report.items() if "." not in name)
