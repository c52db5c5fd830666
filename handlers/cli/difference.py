"""`vaultry diff`: what differs between two states of a vault. Prints differences; finds none itself."""

import sqlite3
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import click

from db.audit.redaction import Redaction
from db.audit.trail import UNAUDITED
from db.errors import NotFound
from db.history.difference import changed_rows, schema_changes
from db.history.past_state import past_database
from db.history.points import Point, find_point
from db.schema.schema import Schema, read_schema
from handlers.cli.changes import change_json, change_line
from handlers.cli.output import json_option, note, print_json, print_table
from handlers.cli.session import living_tenant, session
from handlers.tenant.looking_back import redaction_of, todays_cipher

_COLUMNS = ("table", "added", "removed", "changed")


@dataclass(frozen=True, slots=True)
class _Sides:
    """Two states of one vault, open."""

    before: sqlite3.Connection
    after: sqlite3.Connection
    old: Schema
    new: Schema
    points: tuple[Point, Point]
    redaction: Redaction


@click.command()
@click.argument("slug")
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", required=False)
@click.option("--table", metavar="TABLE", help="Its rows, one by one; default: how many of each table.")
@click.option("--personal", is_flag=True, help="Open personal columns; they are [redacted] otherwise.")
@json_option
def diff(slug: str, first: str, second: str | None, table: str | None, *, personal: bool, as_json: bool) -> None:
    """Show what differs between two states of a vault.

    A and B are bookmarks, or moments with an offset such as 2026-05-01T19:00:00Z; without B it is now.

    Both states are laid out as files and read side by side, so this takes room on the disk and little memory. Changes
    of the schema are named; rows are compared in the columns that both states have. With --json and --table every row
    is a line.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry diff aurora 2026-05-01T00:00:00Z
      vaultry diff aurora 2026-05-01T00:00:00Z 2026-05-02T00:00:00Z --table works
    """
    with _opened(slug, first, second, personal=personal) as sides:
        if table is None:
            _print_counts(sides, as_json=as_json)
        else:
            _print_rows(sides, table, as_json=as_json)


@contextmanager
def _opened(slug: str, first: str, second: str | None, *, personal: bool) -> Generator[_Sides]:
    with session() as services:
        entry = living_tenant(services, slug)
        with services.vault(entry) as vault:
            cipher = todays_cipher(services, vault)
            newest = vault.read(lambda tx: tx.value("SELECT 1")).bookmark
            points = find_point(vault.log, first), find_point(vault.log, second or newest)
            redaction = redaction_of(services, entry, cipher if personal else None)
            with (
                past_database(vault, points[0].txid, cipher) as before,
                past_database(vault, points[1].txid, cipher) as after,
            ):
                yield _Sides(before, after, read_schema(before), read_schema(after), points, redaction)


def _print_counts(sides: _Sides, *, as_json: bool) -> None:
    counted: list[dict[str, Any]] = []
    for name in sorted((sides.old.tables.keys() | sides.new.tables.keys()) - UNAUDITED):
        rows = changed_rows(sides.before, sides.after, sides.old.tables.get(name), sides.new.tables.get(name))
        found = Counter(change.change for change in rows)
        if found:
            counted.append({"table": name, **{change: found[change] for change in ("added", "removed", "changed")}})
    schema = schema_changes(sides.before, sides.after)
    if as_json:
        points = {name: asdict(point) for name, point in zip(("from", "to"), sides.points, strict=True)}
        print_json({**points, "schema": [asdict(change) for change in schema], "tables": counted})
        return
    for change in schema:
        click.echo(f"{change.kind} {change.name} {change.change}" + (f" ({change.details})" if change.details else ""))
    if counted:
        print_table(_COLUMNS, [list(line.values()) for line in counted])
    elif not schema:
        note("no difference")


def _print_rows(sides: _Sides, table: str, *, as_json: bool) -> None:
    old, new = sides.old.tables.get(table), sides.new.tables.get(table)
    if old is None and new is None:
        raise NotFound(f"neither state has a table {table!r}")
    found = 0
    for change in changed_rows(sides.before, sides.after, old, new):
        found += 1
        if as_json:
            print_json(change_json(change, sides.redaction))
        else:
            click.echo(change_line(change, sides.redaction))
    if not as_json:
        schema = [change for change in schema_changes(sides.before, sides.after) if change.name == table]
        note(f"rows that differ: {found}" + "".join(f"; table {c.change} ({c.details})" for c in schema))
