"""`vaultry tenants create --from`: tenants out of a CSV file. Reads lines, prints links; provisions nothing."""

import csv
from collections.abc import Iterator
from typing import TextIO

import click

from db.errors import Invalid
from handlers.cli.output import note, print_json, printable
from handlers.cli.progress import interruption, progress
from handlers.cli.session import operator, session
from handlers.tenant.bulk_provisioning import COLUMNS, Entered, Line, provision_lines

_AT_ONCE = 4


def create_from_file(file: TextIO, *, as_json: bool) -> None:
    """Make the tenants of the file and print what became of each line. Ends with status 1 if one was refused."""
    total = _count(file)
    counts = {"made": 0, "there": 0, "refused": 0}
    with session(makes_store=True) as services, progress() as report, interruption() as stop:

        def told(done: int) -> None:
            report("tenants", done, total)
            stop.check()

        actor = operator(services, "tenants.create")
        for entered in provision_lines(services, _lines(file), actor, _AT_ONCE, told):
            counts[entered.state] += 1
            _say(entered, as_json=as_json)
    note(f"made: {counts['made']}, there already: {counts['there']}, refused: {counts['refused']}")
    if counts["refused"]:
        raise click.exceptions.Exit(1)


def _count(file: TextIO) -> int:
    """How many tenants the file has, for the progress bar; 0 for one that can be read once only."""
    if not file.seekable():
        return 0
    total = sum(1 for _ in _lines(file))
    file.seek(0)
    return total


def _lines(file: TextIO) -> Iterator[Line]:
    """The lines of the file. Raises Invalid when columns are missing."""
    reader = csv.DictReader(file, restkey="", restval="")
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise Invalid(f"the file lacks the columns {', '.join(missing)}; wanted {', '.join(COLUMNS)}", field=missing[0])
    for row in reader:
        yield Line(reader.line_num, {name: value for name, value in row.items() if name})


def _say(entered: Entered, *, as_json: bool) -> None:
    if as_json:
        error = None if entered.error is None else {"code": entered.error.code, "message": entered.error.message}
        print_json(
            {
                "line": entered.number,
                "slug": entered.slug,
                "state": entered.state,
                "link": entered.link or None,
                "error": error,
            }
        )
    elif entered.error is not None:
        click.echo(printable(f"line {entered.number}: {entered.error.message} ({entered.error.code})"), err=True)
    elif entered.link:
        click.echo(f"{entered.slug} {entered.link}")
