"""`vaultry sql`: one statement against one vault, through the same guard and audit log as everything else."""

from functools import partial

import click

from db.single_statement import Ran, run_reading, run_writing
from handlers.cli.output import json_option, note, print_json, print_table
from handlers.cli.session import living_tenant, operator, session
from handlers.tenant.protected_names import protected_names


@click.command()
@click.argument("slug")
@click.argument("statement", metavar="SQL")
@click.option("--write", is_flag=True, help="Let it change rows; audited as the operator's doing.")
@json_option
def sql(slug: str, statement: str, *, write: bool, as_json: bool) -> None:
    """Run one SQL statement in a vault.

    Reading only, unless --write is given. Personal columns hold ciphertext, which
    personal_open('members.email_id', email_id) opens. To be able to undo a change, take a `vaultry bookmark` first.

    Interrupted: a change is committed whole or not at all; `vaultry bookmark` tells which.

    \b
    Example:
      vaultry sql aurora "SELECT title, composer FROM works ORDER BY title LIMIT 5"
      vaultry sql aurora "UPDATE works SET title = trim(title)" --write
    """
    with session() as services, services.vault(entry := living_tenant(services, slug)) as vault:
        if not write:
            answer = vault.read(lambda tx: run_reading(tx, statement))
        else:
            protected = partial(protected_names, services, entry)
            change = partial(run_writing, sql=statement, protected=protected)
            answer = vault.write(change, operator(services, "sql"), services.clock())
            services.deliver(vault)
    ran = answer.value
    if as_json:
        rows = list(ran.rows)
        print_json({"rows": rows, "changed": ran.changed, "bookmark": answer.bookmark} if write else rows)
        return
    if ran.rows or not write:
        _print_rows(ran)
    if write:
        click.echo(f"{ran.changed} rows changed; bookmark {answer.bookmark}")


def _print_rows(ran: Ran) -> None:
    if ran.rows:
        print_table(list(ran.rows[0]), (list(row.values()) for row in ran.rows), null="NULL")
    else:
        note("no rows")
