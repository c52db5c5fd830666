"""`vaultry fleet rehearse`: a migration tried on forks. Prints what came of it; forks nothing itself."""

import statistics
from typing import Any

import click

from handlers.cli.fleet_options import charter_option, concurrency_option
from handlers.cli.output import json_option, note, print_json, printable
from handlers.cli.progress import interruption, progress
from handlers.cli.session import operator, session
from handlers.fleet.rehearsal import Choice, Rehearsal
from handlers.fleet.rehearsal import rehearse as rehearse_fleet

_SAMPLE = 20


@click.command()
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--sample", metavar="N", type=click.IntRange(1), help=f"So many vaults that are due; default {_SAMPLE}.")
@click.option("--all", "whole", is_flag=True, help="Every vault that is due.")
@charter_option
@click.option("--ring", default="", metavar="RING", help="Only vaults of this ring: canary, or a share such as 10%.")
@concurrency_option
@json_option
def rehearse(
    slugs: tuple[str, ...],
    sample: int | None,
    charter: str | None,
    ring: str,
    concurrency: int,
    *,
    whole: bool,
    as_json: bool,
) -> None:
    """Try what is due on forks of vaults, check the forks, and drop them.

    No vault is changed. A fork is checked for references that lead nowhere and for damage. Status 1 if one fails.

    Interrupted, or killed: the forks are listed in the registry and the next run removes them.

    \b
    Example:
      vaultry fleet rehearse --sample 50
      vaultry fleet rehearse aurora
    """
    if sum((bool(slugs), sample is not None, whole)) > 1:
        raise click.UsageError("name vaults, or --sample N, or --all")
    size = None if whole or slugs or ring else sample or _SAMPLE
    choice = Choice(charter, slugs, sample if ring else size, ring)
    with session() as services, progress() as report, interruption() as stop:

        def told(label: str, done: int, total: int) -> None:
            report(label, done, total)
            stop.check()

        done = rehearse_fleet(services, choice, operator(services, "fleet.rehearse"), concurrency, told)
    if as_json:
        print_json(_record(done))
    else:
        _show(done)
    if done.failed:
        raise click.exceptions.Exit(1)


def _record(done: Rehearsal) -> dict[str, Any]:
    return {
        "vaults": done.vaults,
        "failed": done.failed,
        "seconds": _seconds(done),
        "failures": [
            {
                "step": group.failure.step,
                "code": group.failure.code,
                "error": group.failure.message,
                "vaults": group.vaults,
                "examples": group.examples,
            }
            for group in _groups(done)
        ],
    }


def _groups(done: Rehearsal) -> list[Any]:
    return sorted(done.failures.values(), key=lambda group: -group.vaults)


def _seconds(done: Rehearsal) -> dict[str, Any]:
    """Of the steps of one vault; the slowest one by name."""
    if not done.seconds:
        return {}
    ordered = sorted(done.seconds)
    return {
        "total": round(sum(ordered), 3),
        "median": round(statistics.median(ordered), 4),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 4),
        "slowest": {"slug": done.slowest[0], "seconds": round(done.slowest[1], 4)},
    }


def _show(done: Rehearsal) -> None:
    for group in _groups(done):
        failure = group.failure
        names = ", ".join(group.examples) + (" ..." if group.vaults > len(group.examples) else "")
        click.echo(printable(f"failed in {group.vaults}: {failure.message} ({failure.code}): {names}"))
    seconds = _seconds(done)
    if seconds:
        slowest = seconds["slowest"]
        click.echo(
            printable(
                f"a vault takes {seconds['median']} s (median), {seconds['p95']} s (p95); "
                f"the slowest is {slowest['slug']} with {slowest['seconds']} s"
            )
        )
    note(f"{done.vaults} rehearsed, {done.failed} failed; the forks are gone")
