"""`vaultry tenants`: make, list, suspend, delete, and links to sign in. Knows the directory; no vault's content."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TextIO

import click

from db.clock import Moment
from db.errors import Invalid
from db.registry.directory import (
    VaultEntry,
    delete_vault,
    list_vaults,
    require_active,
    resume_vault,
    suspend_vault,
    undelete_vault,
)
from db.registry.labels import change_labels, check_label, labels_of
from db.transaction import WriteTx
from domain.charter import Founding
from handlers.cli.output import json_option, note, print_json, print_record, print_table
from handlers.cli.session import operator, session
from handlers.cli.tenants_file import create_from_file
from handlers.tenant.provisioning import find_tenant, new_sign_in_link, provision

_PER_PAGE = 100
_COLUMNS = ("slug", "name", "charter", "status", "created_at")


@click.group()
def tenants() -> None:
    """Make, list, suspend and delete tenants.

    \b
    Example:
      vaultry tenants list
    """


@tenants.command()
@click.argument("slug", required=False)
@click.option("--charter", help="The application it runs, such as choir.")
@click.option("--name", help="What people call it.")
@click.option("--owner", metavar="EMAIL", help="Its first person, with every right.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="More that the charter takes, repeatable; an unknown KEY is answered with those it knows.",
)
@click.option(
    "--from", "file", metavar="FILE", type=click.File(encoding="utf-8-sig"), help="CSV file with a tenant in each line."
)
@json_option
def create(
    slug: str | None,
    charter: str | None,
    name: str | None,
    owner: str | None,
    options: tuple[str, ...],
    file: TextIO | None,
    *,
    as_json: bool,
) -> None:
    """Make a tenant and print the link by which its owner signs in, once, within 24 hours.

    Or many, with --from: a CSV file with the columns slug, charter, name, owner, and more for what the charter wants
    to know besides. Each line prints its slug and link once it is durable; a bad line is named, stops no other and
    makes the status 1.

    Interrupted: the name is still free, or the tenant is complete; run it again, or get a link with `tenants link`.
    A file goes on where it stopped: lines whose tenant is there are skipped.

    \b
    Example:
      vaultry tenants create aurora --charter choir --name "Aurora Choir" --owner liis@aurora.example
      vaultry tenants create union --charter choir --name Union --owner rein@union.example --option type=umbrella
      vaultry tenants create --from choirs.csv
    """
    if file is not None:
        if any((slug, charter, name, owner, options)):
            raise click.UsageError("--from goes alone: the file says it all")
        create_from_file(file, as_json=as_json)
        return
    if slug is None or charter is None or name is None or owner is None:
        raise click.UsageError("wanted SLUG, --charter, --name and --owner, or --from FILE")
    founding = Founding(slug.strip().lower(), name, owner, _options(options))
    with session(makes_store=True) as services:
        made = provision(services, charter, founding, operator(services, "tenants.create"))
    if as_json:
        print_json({**asdict(made.entry), "link": made.link})
        return
    note(f"{made.entry.name} is tenant {made.entry.slug}, vault {made.entry.id}; its owner signs in here, once:")
    click.echo(made.link)


@tenants.command("list")
@click.option("--status", type=click.Choice(["active", "suspended", "deleted"]), help="Default: all but deleted.")
@click.option("--search", metavar="TEXT", help="Part of a name or slug, or an id.")
@click.option("--label", "label_", metavar="LABEL", help="Only those that have it.")
@click.option("--page", default=1, show_default=True, type=click.IntRange(1), help="Which page.")
@json_option
def list_tenants(status: str | None, search: str | None, label_: str | None, page: int, *, as_json: bool) -> None:
    """List the tenants, the oldest first, 100 a page.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry tenants list --status suspended
    """
    with session() as services:
        wanted = {"search": search, "status": status, "label": None if label_ is None else check_label(label_)}
        found = services.registry_read(
            lambda tx: list_vaults(tx, page=page, per_page=_PER_PAGE, **wanted), current=True
        )
    if as_json:
        print_json({"page": page, "total": found.total, "tenants": [asdict(entry) for entry in found.entries]})
        return
    print_table(_COLUMNS, [[getattr(entry, column) for column in _COLUMNS] for entry in found.entries])
    pages = -(-found.total // _PER_PAGE)
    note(f"tenants: {found.total}" + (f"; page {page} of {pages}" if pages > 1 else ""))


@tenants.command()
@click.argument("slug")
@json_option
def show(slug: str, *, as_json: bool) -> None:
    """Show what the directory knows of a tenant.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry tenants show aurora
    """
    with session() as services:
        _print_entry(find_tenant(services, slug), as_json=as_json)


@tenants.command()
@click.argument("slug")
@json_option
def suspend(slug: str, *, as_json: bool) -> None:
    """Close a tenant to its people; running servers follow within 2 seconds. Its data stays as it is.

    Interrupted: it is suspended or not; a second time changes nothing.

    \b
    Example:
      vaultry tenants suspend aurora
    """
    _change(slug, "tenants.suspend", lambda tx, entry, now: suspend_vault(tx, entry.id, now), as_json=as_json)


@tenants.command()
@click.argument("slug")
@json_option
def resume(slug: str, *, as_json: bool) -> None:
    """Open a suspended tenant again.

    Interrupted: it is open or not; a second time changes nothing.

    \b
    Example:
      vaultry tenants resume aurora
    """
    _change(slug, "tenants.resume", lambda tx, entry, _: resume_vault(tx, entry.id), as_json=as_json)


@tenants.command()
@click.argument("slug")
@click.option("--yes", is_flag=True, help="Do not ask for the slug again.")
@json_option
def delete(slug: str, *, yes: bool, as_json: bool) -> None:
    """Delete a tenant; for 30 days `tenants undelete` brings it back, then it is removed for good.

    Interrupted: it is deleted or not; a second time changes nothing.

    \b
    Example:
      vaultry tenants delete aurora
    """
    if not yes and click.prompt(f"Repeat the slug to delete {slug}", err=True).strip() != slug:
        raise Invalid("the slugs differ; nothing was deleted", code="not_confirmed")
    _change(slug, "tenants.delete", lambda tx, entry, now: delete_vault(tx, entry.id, now), as_json=as_json)


@tenants.command()
@click.argument("slug")
@json_option
def undelete(slug: str, *, as_json: bool) -> None:
    """Bring back a tenant deleted within the last 30 days, as it was.

    Interrupted: it is back or not; a second time changes nothing.

    \b
    Example:
      vaultry tenants undelete aurora
    """
    _change(slug, "tenants.undelete", lambda tx, entry, now: undelete_vault(tx, entry.id, now), as_json=as_json)


@tenants.command()
@click.argument("slug")
@click.argument("email")
@json_option
def link(slug: str, email: str, *, as_json: bool) -> None:
    """Print a link by which a person of the tenant signs in, once, within 24 hours. The one before stops working.

    Interrupted: a link may have been made that nobody saw; the next one replaces it.

    \b
    Example:
      vaultry tenants link aurora liis@aurora.example
    """
    with session() as services:
        entry = require_active(find_tenant(services, slug))
        address = new_sign_in_link(services, entry, email, operator(services, "tenants.link"))
    if as_json:
        print_json({"slug": entry.slug, "email": email, "link": address})
    else:
        click.echo(address)


@tenants.command()
@click.argument("slug")
@click.argument("add", metavar="[LABEL]...", nargs=-1)
@click.option("--remove", metavar="LABEL", multiple=True, help="Take this one off; may be repeated.")
@json_option
def label(slug: str, add: tuple[str, ...], remove: tuple[str, ...], *, as_json: bool) -> None:
    """Put labels on a tenant, or take them off; without any, print what it has.

    A label is 1-40 of a-z, 0-9, dot, hyphen and underscore. By it `tenants list` and `fleet query` choose tenants.

    Interrupted: all of it is done or nothing; a second time changes nothing.

    \b
    Example:
      vaultry tenants label aurora pilot north --remove trial
    """
    with session() as services:
        entry, now = find_tenant(services, slug), services.clock()
        if add or remove:
            actor = operator(services, "tenants.label")
            labels = services.registry_write(lambda tx: change_labels(tx, entry.id, add, remove, now), actor, now)
        else:
            labels = services.registry_read(lambda tx: labels_of(tx, entry.id), current=True)
    if as_json:
        print_json({"slug": entry.slug, "labels": labels})
    else:
        click.echo(" ".join(labels))


def _change(
    slug: str, verb: str, change: Callable[[WriteTx, VaultEntry, Moment], VaultEntry], *, as_json: bool
) -> None:
    with session() as services:
        entry, now = find_tenant(services, slug), services.clock()
        changed = services.registry_write(lambda tx: change(tx, entry, now), operator(services, verb), now)
    if as_json:
        print_json(asdict(changed))
    else:
        note(f"{changed.slug} is {changed.status}")


def _print_entry(entry: VaultEntry, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(entry))
    else:
        print_record(asdict(entry))


def _options(pairs: tuple[str, ...]) -> dict[str, str]:
    """The founding options. Ends with a usage error for one without an equals sign."""
    wrong = next((pair for pair in pairs if "=" not in pair), None)
    if wrong is not None:
        raise click.UsageError(f"--option: got {wrong!r}, wanted KEY=VALUE")
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
