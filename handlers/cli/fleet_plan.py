"""`vaultry fleet plan` and `status`: what the registry knows of the fleet. Opens no vault."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from handlers.cli.fleet_options import charter_option
from handlers.cli.output import json_option, note, print_json, print_table, printable
from handlers.cli.session import session
from handlers.fleet.plan import PlanLine, fleet_plan
from handlers.fleet.status import STATES, FleetStatus, fleet_status

_PLAN = ("charter", "vaults", "at", "stands", "schema", "lacks", "for example")


@click.command()
@charter_option
@json_option
def plan(charter: str | None, *, as_json: bool) -> None:
    """Show which vaults stand where, and what this release would apply.

    From the registry alone, as each vault reported last: no vault is opened. A schema that is not what its steps make
    has drifted: somebody changed it by hand.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry fleet plan --charter choir
    """
    with session() as services:
        lines = fleet_plan(services, charter)
    if as_json:
        print_json([asdict(line) for line in lines])
        return
    print_table(_PLAN, [_row(line) for line in lines])
    due = sum(line.vaults for line in lines if line.stand == "due")
    drifting = sum(line.vaults for line in lines if line.drift)
    note(f"vaults: {sum(line.vaults for line in lines)}, due: {due}, drifting: {drifting}")


def _row(line: PlanLine) -> tuple[object, ...]:
    schema = {True: "drifted", False: "as its steps", None: "not known"}[line.drift]
    stands = [
        line.stand,
        *(["held"] if line.held else []),
        *([f"{line.refused} refuse writes"] if line.refused else []),
    ]
    return (
        line.charter,
        line.vaults,
        numbers_text(line.numbers),
        ", ".join(stands),
        schema if line.schema_hash is None else f"{schema} {line.schema_hash[:12]}",
        ", ".join(line.steps),
        ", ".join(line.examples),
    )


def numbers_text(numbers: Mapping[str, int]) -> str:
    """`choir/0007 kernel/0006`."""
    return " ".join(f"{name}/{number:04d}" for name, number in sorted(numbers.items()))


@click.command()
@click.option("--rollout", "rollout_id", metavar="ID", help="Another than the last one.")
@json_option
def status(rollout_id: str | None, *, as_json: bool) -> None:
    """Show how far a rollout is, which vaults failed and why, and which take no writes.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry fleet status
    """
    with session() as services:
        found = fleet_status(services, rollout_id)
    if as_json:
        print_json(status_record(found))
    else:
        show_status(found)


def status_record(found: FleetStatus) -> dict[str, Any]:
    """The status as JSON has it."""
    return {
        "rollout": None if found.rollout is None else asdict(found.rollout),
        "rings": [asdict(ring) for ring in found.rings],
        "failures": found.failures,
        "failed": [
            {"slug": row.slug, "id": row.vault_id, "step": row.step, "code": row.error_code, "error": row.error}
            for row in found.failed
        ],
        "refusing": [{"slug": known.slug, "id": known.vault_id, "refusal": known.refusal} for known in found.refusing],
    }


def show_status(found: FleetStatus) -> None:
    """The status for people."""
    rollout = found.rollout
    if rollout is None:
        note("there was no rollout yet")
    else:
        because = f": {rollout.halted_because}" if rollout.halted_because else ""
        click.echo(printable(f"rollout {rollout.id}, begun {rollout.created_at}: {rollout.state}{because}"))
        rows = [(ring.name, ring.total, *(ring.counts[state] for state in STATES)) for ring in found.rings]
        print_table(("ring", "due", *STATES), rows)
        for row in found.failed:
            click.echo(printable(f"failed: {row.slug or row.vault_id}: {row.error} ({row.error_code})"))
        if found.failures > len(found.failed):
            note(f"and {found.failures - len(found.failed)} more")
    for known in found.refusing:
        click.echo(printable(f"no writes: {known.slug or known.vault_id}: {known.refusal}"))
