"""`vaultry alerts`: what people's accounts went through that they should know of. Changes nothing."""

from dataclasses import asdict

import click

from db.clock import parse_timestamp
from db.errors import NotFound
from db.fields import normalise_email
from db.registry.accounts import find_account_by_email
from db.registry.security_alerts import MOST, Alert, list_alerts
from db.transaction import ReadTx
from handlers.cli.output import json_option, print_json, print_table
from handlers.cli.session import session
from handlers.tenant.provisioning import find_tenant

_COLUMNS = ("at", "kind", "account", "vault")


@click.command()
@click.option("--vault", metavar="SLUG", help="Only what happened in this vault.")
@click.option("--account", metavar="EMAIL", help="Only those of this account.")
@click.option("--since", metavar="TIMESTAMP", help="With an offset, such as 2027-01-01T00:00:00Z; default: a year ago.")
@click.option("--most", type=click.IntRange(1, MOST), default=100, show_default=True, help="At most so many.")
@json_option
def alerts(vault: str | None, account: str | None, since: str | None, most: int, *, as_json: bool) -> None:
    """List security alerts, the newest first: guessed passwords, reused tokens, changed passwords, second factors.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry alerts --vault aurora --since 2026-05-01T00:00:00Z
    """
    with session() as services:
        vault_id = None if vault is None else find_tenant(services, vault).id
        after = "" if since is None else parse_timestamp(since, "since")

        def read(tx: ReadTx) -> list[Alert]:
            account_id = None
            if account is not None:
                found = find_account_by_email(tx, normalise_email(account))
                if found is None:
                    raise NotFound(f"no account with the address {account}", code="user_not_found")
                account_id = found.id
            return list_alerts(tx, account_id=account_id, vault_id=vault_id, since=after, most=most)

        found = services.registry_read(read, current=True)
    if as_json:
        print_json([asdict(known) for known in found])
        return
    print_table(_COLUMNS, [(known.at, known.kind, known.email, known.slug) for known in found])
