"""`vaultry import`: rows of a file into a table or through a verb. Reads the file, counts what is durable; no rule."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click

from db.errors import CommitUnknown, Invalid, VaultError
from db.fields import is_json_object
from db.principal import Principal
from db.registry.directory import VaultEntry
from db.transaction import Actor
from handlers.cli.output import json_option, note, print_json
from handlers.cli.progress import Report, interruption, progress
from handlers.cli.refusal import INTERRUPTED, Refused
from handlers.cli.session import living_tenant, session
from handlers.cli.whole_importing import import_known
from handlers.imports.row_import import Importing, RowRefused, import_rows
from handlers.services import Services
from handlers.tenant.provisioning import member_of, owner_of

_FORMATS = {".csv": "CSV", ".tsv": "TSV", ".json": "JSON", ".ndjson": "NL", ".jsonl": "NL"}


@dataclass(slots=True)
class _Run:
    """One import under way. durable: rows of the file that are certainly in the vault, skipped ones counted."""

    command: str
    total: int
    durable: int
    as_json: bool

    def advance(self, durable: int) -> None:
        """So many are durable now."""
        self.durable = durable
        self.say("progress")

    def say(self, event: str) -> None:
        """One line for machines."""
        if self.as_json:
            print_json({"event": event, "durable": self.durable, "rows": self.total})

    @property
    def how_to_go_on(self) -> str:
        """What to type to bring in the rest."""
        return f"{self.command} --skip {self.durable}"


@click.command("import")
@click.argument("slug")
@click.argument("target", metavar="TABLE")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "email", metavar="EMAIL", help="Act as this member, with no more rights; default: the operator.")
@click.option("--skip", default=0, type=click.IntRange(0), metavar="N", help="Leave out the first N rows.")
@click.option("--dry-run", is_flag=True, help="Try every row and write nothing.")
@json_option
def import_file(
    slug: str, target: str, file: Path, email: str | None, skip: int, *, dry_run: bool, as_json: bool
) -> None:
    """Bring the rows of a file into a vault.

    The file is CSV, TSV, JSON or NDJSON; the rules are those of HTTP, and every row is audited.

    A choir knows two files, `members` and `works`. They come in whole or not at all: every row is tried first, and all
    that is wrong is told with its line and column. What is there already stays as it is, so the same file may come
    again. --dry-run only tries. A choir's columns:

    \b
      members  name, nickname, email_contact, roles, voices, sections, joined_at
      works    title, composer, lyricist

    Several roles, voices or sections have `;` between them. joined_at is a day, 2019-09-01, or a timestamp.

    TABLE may also be any table that takes rows, or a verb that writes: each row is then its arguments. A column such as
    work_id.title looks up the row it refers to. These rows are committed 50 at a time; a bad row stops the import and
    takes its 50 along. Interrupted (Ctrl-C), it stops after the running commit and says how many rows are durable;
    --skip goes on there. With --json every commit prints a line.

    \b
    Example:
      vaultry import aurora members members.csv --dry-run
      vaultry import aurora members members.csv
      vaultry import aurora works works.csv --as mari@aurora.example
      vaultry import aurora editions editions.csv
      vaultry import aurora member.add_roster members.csv --as liis@aurora.example
    """
    with session() as services:
        entry = living_tenant(services, slug)
        known = next((known for known in services.charter(entry).imports if known.name == target), None)
        if known is not None:
            if skip:
                raise click.UsageError(f"--skip: {target} come whole or not at all; run the same command again")
            principal = _acting(services, entry, email)
            import_known(services, entry, known, principal, file, dry_run=dry_run, as_json=as_json)
            return
    if dry_run:
        raise click.UsageError(f"--dry-run: for the files that the application knows, and {target} is none of them")
    rows = _read_rows(file)
    acting = "" if email is None else f" --as {email}"
    run = _Run(f"vaultry import {slug} {target} {file}{acting}", len(rows), min(skip, len(rows)), as_json)
    with session() as services:
        importing = _importing(services, slug, target, email)
        with progress() as report:
            _run(importing, rows, run, report)
        with services.vault(importing.entry) as vault:
            services.deliver(vault)
    run.say("done")
    if not as_json:
        click.echo(f"{len(rows) - min(skip, len(rows))} rows imported into {target}")


def _run(importing: Importing, rows: list[Mapping[str, Any]], run: _Run, report: Report) -> None:
    """Import, and say where it stopped if it does. Raises Refused; ends the command when interrupted."""
    with interruption() as stop:

        def advance(durable: int) -> None:
            run.advance(durable)
            report(importing.target, durable, len(rows))
            if durable < len(rows):
                stop.check()

        try:
            import_rows(importing, rows, advance, run.durable)
        except KeyboardInterrupt:
            run.say("interrupted")
            note(f"interrupted: {run.durable} of {run.total} rows are durable; go on with: {run.how_to_go_on}")
            raise click.exceptions.Exit(INTERRUPTED) from None
        except VaultError as exc:
            run.say("stopped")
            raise Refused(_told(exc, run)) from exc


def _told(error: VaultError, run: _Run) -> VaultError:
    """The same error with what is durable and how to go on."""
    if isinstance(error, CommitUnknown):
        hint = f"{run.durable} rows are durable, the next ones perhaps; look before you go on with: {run.how_to_go_on}"
    elif isinstance(error, RowRefused):
        hint = f"{run.durable} rows are durable; mend row {error.number} and go on with: {run.how_to_go_on}"
    else:
        hint = f"{run.durable} rows are durable; go on with: {run.how_to_go_on}"
    details = None if error.hint is None else error.hint
    return VaultError(error.message, code=error.code, details=details, hint=hint)


def _importing(services: Services, slug: str, target: str, email: str | None) -> Importing:
    entry = living_tenant(services, slug)
    principal = _acting(services, entry, email)
    actor = Actor(principal.actor_id, principal.kind, f"cli:{services.clock().new_id()}", f"import.{target}")
    return Importing(services, entry, target, principal, actor)


def _acting(services: Services, entry: VaultEntry, email: str | None) -> Principal:
    return owner_of(services, entry) if email is None else member_of(services, entry, email)


def _read_rows(file: Path) -> list[Mapping[str, Any]]:
    """Every row of the file. Raises Invalid (file_invalid) for another format or a line that is no row."""
    # Here, because a library with its plug-ins is a second that only this command should take.
    from sqlite_utils.utils import Format, RowError, RowsFromFileError, rows_from_file

    name = _FORMATS.get(file.suffix.lower())
    if name is None:
        raise Invalid(
            f"got {file.name}, wanted a name that ends with one of: {', '.join(_FORMATS)}", code="file_invalid"
        )
    try:
        with file.open("rb") as content:
            rows = list(cast("Iterable[Any]", rows_from_file(content, format=Format[name])[0]))
    except (RowError, RowsFromFileError, ValueError, OSError) as exc:
        raise Invalid(f"cannot read {file} as {file.suffix[1:]}: {exc}", code="file_invalid") from exc
    wrong = next((number for number, row in enumerate(rows, 1) if not is_json_object(row)), None)
    if wrong is not None:
        raise Invalid(f"{file}: entry {wrong} is no JSON object", code="file_invalid")
    return rows
