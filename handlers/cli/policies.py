"""`vaultry policies`: who may do what with the tables of an own schema. Reads and prints JSON; judges nothing."""

import json
from pathlib import Path
from typing import Any

import click

from db.errors import Invalid
from handlers.cli.output import json_option, note, print_json, printable
from handlers.cli.session import living_tenant, operator, session
from handlers.tenant.policies import change_policies, read_policies


@click.group()
def policies() -> None:
    """State who may read and write the tables that you brought into a blank vault.

    \b
    Example:
      vaultry policies apply shop policies.json
    """


@policies.command()
@click.argument("slug")
@click.option("--json", "as_json", is_flag=True, help="Also what is broken or closed; default: the document alone.")
def show(slug: str, *, as_json: bool) -> None:
    """Print the policies of a vault, as `policies apply` takes them.

    On standard error: tables without a policy, which are open to operators only, and what has no meaning in the schema
    as it is now, which allows nothing. Then the status is 1.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry policies show shop > policies.json
    """
    with session() as services:
        found = read_policies(services, living_tenant(services, slug))
    if as_json:
        print_json({"policies": found.document, "broken": found.broken, "closed": found.closed})
    else:
        click.echo(json.dumps(found.document, ensure_ascii=False, indent=2))
        if found.closed:
            note(printable(f"closed: {', '.join(found.closed)}"))
        for line in found.broken:
            note(printable(f"broken: {line}"))
    if found.broken:
        raise click.exceptions.Exit(1)


@policies.command()
@click.argument("slug")
@click.argument("file", type=click.File("rb"))
@click.option("--check", is_flag=True, help="Only say what would change.")
@json_option
def apply(slug: str, file: Any, *, check: bool, as_json: bool) -> None:
    """Put the policies of a file in force, in place of all there were.

    The file is JSON; - is standard input. SQLite compiles every condition first: it must be one expression over the
    table's columns, may read other own tables as main.x, and can do nothing else. One commit, audited; requests that
    come after it see it.

    Interrupted: all of it holds, or none; a second time changes nothing.

    \b
    Example:
      vaultry policies apply shop policies.json --check
      vaultry policies apply shop policies.json
    """
    name = Path(str(getattr(file, "name", "-"))).name
    try:
        document: Any = json.loads(file.read())
    except (ValueError, RecursionError) as exc:
        raise Invalid(f"{name} is not JSON: {exc}", code="policies_invalid") from exc
    with session() as services:
        entry, actor = living_tenant(services, slug), operator(services, "policies.apply")
        changed, bookmark = change_policies(services, entry, document, actor, only_check=check)
    if as_json:
        print_json({"changed": changed, "bookmark": bookmark, "applied": not check})
        return
    would = "would change" if check else "changed"
    click.echo(printable(f"{would}: {', '.join(changed)}") if changed else "nothing changes")
    if not check and changed:
        click.echo(f"bookmark {bookmark}")
