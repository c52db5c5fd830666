"""`vaultry history`: what happened in a vault, commit by commit. Prints; what belongs together it is told."""

from dataclasses import asdict

import click

from db.errors import Invalid
from db.history.timeline import Entry, Work, list_history
from db.log.bookmark import is_of_vault, parse_bookmark
from db.log.ltx import TXID
from db.vault.vault import Vault
from handlers.cli.output import json_option, note, print_json, print_table
from handlers.cli.session import living_tenant, session

_COLUMNS = ("time", "bookmark", "who", "verb", "request", "rows", "pages", "bytes")


@click.command()
@click.argument("slug")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Most commits to list.")
@click.option("--before", metavar="BOOKMARK", help="Only commits before this one: the next page of a longer list.")
@click.option("--table", metavar="TABLE", help="Only commits in which rows of this table changed.")
@json_option
def history(slug: str, limit: int, before: str | None, table: str | None, *, as_json: bool) -> None:
    """List what happened in a vault.

    The newest first: commits with their bookmark, and under each the requests in it, with who made them and how many
    rows of which tables changed (+ added, ~ changed, - removed).

    Commits older than VAULTRY_LEVEL0_HOURS are folded together: they then share one line's time, size and bookmark,
    and their requests keep their order. A commit without a request is the engine's own: a delivered mail, a migration.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry history aurora --limit 5
      vaultry history aurora --table works --before 00000000-0000012c-00000000-8e3e065c593dddfddf7e9a1b6a1c1f9f
    """
    with session() as services, services.vault(living_tenant(services, slug)) as vault:
        entries = list_history(vault, limit, None if before is None else _txid(vault, before), table)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    print_table(_COLUMNS, [line for entry in entries for line in _lines(entry)])
    if len(entries) == limit:
        note(f"older ones: add --before {entries[-1].bookmark}")


def _txid(vault: Vault, text: str) -> TXID:
    bookmark = parse_bookmark(text)
    if not is_of_vault(bookmark, vault.id):
        raise Invalid("the bookmark is not of this vault", code="bookmark_unknown")
    return bookmark.txid


def _lines(entry: Entry) -> list[list[str]]:
    """One line for each request of an entry, its own figures on the first."""
    figures = ["" if figure is None else str(figure) for figure in (entry.pages, entry.bytes)]
    works = [[f"{work.actor} ({work.actor_kind})", work.verb, work.request_id, _rows(work)] for work in entry.works]
    first, *others = works or [["", _unnamed(entry), "", ""]]
    return [[entry.timestamp, entry.bookmark, *first, *figures], *(["", "", *work, "", ""] for work in others)]


def _unnamed(entry: Entry) -> str:
    if entry.kind == "beginning":
        return f"(the beginning: {entry.audit_last} audit rows)"
    return "(the engine)"


def _rows(work: Work) -> str:
    """`works +2 ~1, editions -1`; something that is no row change by its name."""
    signs = {"insert": "+", "update": "~", "delete": "-"}
    parts = [
        " ".join([table, *(f"{signs[operation]}{count}" for operation, count in by.items() if operation in signs)])
        for table, by in work.tables.items()
    ]
    return ", ".join(parts)
