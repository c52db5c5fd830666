"""`vaultry import` of the files that the charter knows: whole or not at all. Prints and counts; holds no rule."""

from dataclasses import asdict
from pathlib import Path

import click

from db.errors import CommitUnknown, VaultError
from db.principal import Principal
from db.registry.directory import VaultEntry
from db.transaction import Actor
from domain.charter import RowImport
from handlers.cli.output import note, print_json
from handlers.cli.progress import interruption, progress
from handlers.cli.refusal import INTERRUPTED, Refused
from handlers.imports.row_files import read_rows
from handlers.imports.whole_import import Imported, WholeImport, import_whole
from handlers.services import Services


class _Stopped(Exception):
    """Somebody asked to stop."""


def import_known(
    services: Services,
    entry: VaultEntry,
    known: RowImport,
    principal: Principal,
    file: Path,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring the file in and say what became of it. Raises Refused; ends the command when interrupted."""
    total = sum(1 for _ in read_rows(file))
    actor = Actor(principal.actor_id, principal.kind, f"cli:{services.clock().new_id()}", f"import.{known.name}")
    wanted = WholeImport(services, entry, known, principal, actor, lambda: read_rows(file))
    with progress() as report, interruption() as stop:

        def advance(done: int) -> None:
            report(known.name, done, total)
            if stop.asked:
                raise _Stopped

        try:
            outcome = import_whole(wanted, dry_run=dry_run, progress=advance)
        except _Stopped:
            if as_json:
                print_json({"event": "interrupted", "added": 0, "rows": total})
            note("interrupted: nothing was imported")
            raise click.exceptions.Exit(INTERRUPTED) from None
        except CommitUnknown as exc:
            hint = "the rows are there, or none is; the same command again adds what is not"
            raise Refused(VaultError(exc.message, code=exc.code, hint=hint)) from exc
    with services.vault(entry) as vault:
        services.deliver(vault)
    _tell(known, file, outcome, dry_run=dry_run, as_json=as_json)


def _tell(known: RowImport, file: Path, outcome: Imported, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        event = "refused" if outcome.refused else "checked" if dry_run else "done"
        problems = [asdict(problem) for problem in outcome.problems]
        counts = {"added": outcome.added, "there": outcome.there, "refused": outcome.refused}
        if outcome.refused:
            counts["added"] = 0
        print_json({"event": event, "rows": outcome.rows, **counts, "problems": problems})
    if outcome.refused:
        if not as_json:
            for problem in outcome.problems:
                place = f"line {problem.line}" + (f", column {problem.column}" if problem.column else "")
                note(f"{place}: {problem.message} ({problem.code})")
            if outcome.refused > len(outcome.problems):
                note(f"... and {outcome.refused - len(outcome.problems)} more")
        raise Refused(
            VaultError(
                f"{outcome.refused} of {outcome.rows} rows of {file.name} are refused; nothing was imported",
                code="rows_refused",
                hint="mend them and run the same command again",
            )
        )
    if not as_json:
        there = f"; {outcome.there} were there already and stay as they are" if outcome.there else ""
        done = f"{outcome.added} rows would be added to" if dry_run else f"{outcome.added} rows added to"
        click.echo(f"{done} {known.name}{there}" + ("; nothing was written" if dry_run else ""))
