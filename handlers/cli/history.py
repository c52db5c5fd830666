"""`vaultry bookmark`, `restore`, `fork`: going through a vault's history. Rewrites none of it."""

from dataclasses import asdict

import click

from db.history.points import Point, find_point
from db.history.points import restore as restore_vault
from db.vault.vault import Vault
from handlers.cli.output import json_option, note, print_json
from handlers.cli.row_restore import refuse_row_options, restore_table
from handlers.cli.session import living_tenant, operator, session
from handlers.tenant.forgetting import end_sessions, settling
from handlers.tenant.provisioning import fork_tenant

_AT = "A bookmark, or a moment with an offset such as 2026-05-01T19:00:00Z."


@click.command()
@click.argument("slug")
@click.option("--at", metavar="TIME", help="The last commit at or before then; default: the newest.")
@json_option
def bookmark(slug: str, at: str | None, *, as_json: bool) -> None:
    """Print the bookmark of a vault's newest commit.

    By it this very state can be found again: restored, forked, exported.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry bookmark aurora
    """
    with session() as services, services.vault(living_tenant(services, slug)) as vault:
        point = find_point(vault.log, at or _newest(vault))
    if as_json:
        print_json(asdict(point))
    else:
        click.echo(point.bookmark)


@click.command()
@click.argument("slug")
@click.option("--at", required=True, metavar="TIME|BOOKMARK", help=_AT)
@click.option("--table", metavar="TABLE", help="Only rows of this table, as an ordinary audited change.")
@click.option("--where", multiple=True, metavar="FILTER", help="Which rows, as in REST: `id=eq.5`. All must hold.")
@click.option("--delete", is_flag=True, help="With --table: also remove rows that were not there.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def restore(
    slug: str, at: str, table: str | None, where: tuple[str, ...], *, delete: bool, yes: bool, as_json: bool
) -> None:
    """Bring a vault, or rows of one table, back to how they were.

    This is a new commit: history, audit log and erasures stay, and so does the outbox. Whoever was forgotten since is
    forgotten again in the same commit, and everybody is signed out.

    Suspend the tenant first if people may be writing: what they commit until the restore goes with the rest. To undo
    it, restore the bookmark it prints.

    With --table only rows of that table change: missing ones are inserted, others set back, and the rest of the vault
    stays. What would change is shown first, with what triggers and references would do; rows that cannot be written,
    because what they refer to is gone, are named and nothing is changed.

    Interrupted: it is restored or untouched; `vaultry bookmark` tells which.

    \b
    Example:
      vaultry restore aurora --at 2026-05-01T19:00:00Z
      vaultry restore aurora --at 2026-05-01T19:00:00Z --table works --where "title=like.Ave*"
    """
    if table is not None:
        restore_table(slug, at, table, where, delete=delete, yes=yes, as_json=as_json)
        return
    refuse_row_options(where, delete=delete)
    with session() as services:
        entry = living_tenant(services, slug)
        with services.vault(entry) as vault:
            before = _newest(vault)
            point = find_point(vault.log, at)
            note(f"{slug} goes back to {_words(point)}\nundo with: vaultry restore {slug} --at {before}")
            if not yes:
                click.confirm("Restore?", abort=True, err=True)
            charter, actor = services.charter(entry), operator(services, "restore")
            sets, settle = services.kind(charter).sets, settling(services, charter, vault)
            restore_vault(vault, services.site, point.bookmark, actor, sets, settle=settle)
            after, ended = vault.bookmark, end_sessions(services, entry.id, actor)
    if as_json:
        told = {"restored": asdict(point), "before": before, "bookmark": after}
        print_json({**told, "sessions_ended": ended})
    else:
        click.echo(f"restored; the bookmark before was {before}; {ended} sessions ended")


@click.command()
@click.argument("slug")
@click.argument("new_slug", metavar="NEW")
@click.option("--at", metavar="TIME|BOOKMARK", help=f"{_AT} Default: now.")
@json_option
def fork(slug: str, new_slug: str, at: str | None, *, as_json: bool) -> None:
    """Make a new tenant that begins as another one is.

    Or was, with --at. The same people can sign in; from then on the two know nothing of each other.

    Interrupted: the new name is still free, or the fork is complete; run it again.

    \b
    Example:
      vaultry fork aurora aurora-rehearsal --at 2026-05-01T19:00:00Z
    """
    with session() as services:
        made = fork_tenant(services, living_tenant(services, slug), new_slug, at, operator(services, "fork"))
    if as_json:
        print_json(asdict(made))
    else:
        click.echo(f"{made.slug} is vault {made.id}, made from {slug} at {made.parent_bookmark}")


def _newest(vault: Vault) -> str:
    return vault.read(lambda tx: tx.value("SELECT 1")).bookmark


def _words(point: Point) -> str:
    return f"{point.timestamp}, commit {point.txid:016x}, bookmark {point.bookmark}"
