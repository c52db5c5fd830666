"""`vaultry export`: one vault as a plain SQLite file. Knows what the charter calls personal; opens no column itself."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click

from db.archive.export import appearing, plain_file
from db.errors import Conflict, Invalid
from db.history.points import current_database_file, database_file_at, find_point
from db.personal import load_cipher
from handlers.cli.output import json_option, note, print_json
from handlers.cli.session import living_tenant, session


@click.command()
@click.argument("slug")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--at", metavar="TIME|BOOKMARK", help="The state then; default: now.")
@click.option("--sealed", is_flag=True, help="Leave personal columns encrypted.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@json_option
def export(slug: str, file: Path, at: str | None, *, sealed: bool, force: bool, as_json: bool) -> None:
    """Write a vault to a plain SQLite file.

    The sqlite3 shell opens it; only its owner may read it. Personal columns are opened, so keep the file as you would
    keep an address book; --sealed leaves them encrypted.
    What was erased stays erased, also in an older state. The tables named vaultry_* are the engine's own: the audit
    log among them, wherein personal values never appear.

    Interrupted: the file is not there, or whole; an unfinished one has another name and can be removed.

    \b
    Example:
      vaultry export aurora aurora.sqlite
      vaultry export aurora may.sqlite --at 2026-05-01T00:00:00Z --sealed
    """
    if file.exists() and not force:
        raise Conflict(f"{file} exists already", code="file_exists", hint="choose another name, or add --force")
    with session() as services:
        entry = living_tenant(services, slug)
        charter = services.charter(entry)
        personal = {} if sealed else {known.table: known.personal for known in charter.resources if known.personal}
        with services.vault(entry) as vault, _written(file, force=force) as unfinished, vault.scratch() as folder:
            # The key as it is today, so that an older state does not bring back what was erased since.
            cipher = vault.read(lambda tx: load_cipher(tx, services.keyring)).value
            database = folder / "export.sqlite"
            if at is None:
                point = current_database_file(vault, database)
            else:
                point = find_point(vault.log, at)
                database_file_at(vault.log, point.txid, database)
            size = plain_file(database, unfinished, cipher, personal)
    if as_json:
        print_json({"file": str(file), "bytes": size, "bookmark": point.bookmark, "timestamp": point.timestamp})
        return
    click.echo(f"{file}: {size} bytes, {slug} at {point.timestamp}")
    state = "sealed" if sealed else "open: keep the file safe"
    note(f"its vaultry_* tables are the engine's own; personal columns are {state}")


@contextmanager
def _written(file: Path, *, force: bool) -> Generator[Path]:
    try:
        with appearing(file, replace=force) as unfinished:
            yield unfinished
    except OSError as exc:
        raise Invalid(f"cannot write {file}: {exc.strerror or exc}", code="file_unwritable") from exc
