"""`vaultry schema`: write or compare schema.sql. For those who change migrations; needs no store."""

import difflib

import click

from db.archive.export import write_whole
from db.errors import Conflict
from handlers.cli.output import json_option, note, print_json
from handlers.schema_page import SCHEMA_FILE, schema_page

_SHOWN_LINES = 40


@click.command()
@click.option("--check", is_flag=True, help="Only compare; status 1 if the file is not up to date.")
@json_option
def schema(*, check: bool, as_json: bool) -> None:
    """Write schema.sql from the migrations, or compare.

    Interrupted: the file is as it was, or complete.

    \b
    Example:
      vaultry schema --check
    """
    wanted = schema_page()
    kept = SCHEMA_FILE.read_text() if SCHEMA_FILE.exists() else ""
    if check and kept != wanted:
        difference = difflib.unified_diff(
            kept.splitlines(), wanted.splitlines(), "schema.sql", "migrations", lineterm=""
        )
        note("\n".join(list(difference)[:_SHOWN_LINES]))
        raise Conflict(
            f"{SCHEMA_FILE.name} is not what the migrations make", code="schema_stale", hint="vaultry schema"
        )
    if not check:
        write_whole(SCHEMA_FILE, wanted.encode(), replace=True)
        # Source, not data: as readable as the files beside it.
        SCHEMA_FILE.chmod(0o644)
    if as_json:
        print_json({"file": str(SCHEMA_FILE), "changed": kept != wanted})
    else:
        click.echo(f"{SCHEMA_FILE.name} is up to date" if kept == wanted else f"{SCHEMA_FILE.name} written")
