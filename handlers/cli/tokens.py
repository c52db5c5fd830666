"""`vaultry tokens`: keys for programs. Shows a token once, when it is made. Knows no hash."""

from dataclasses import asdict

import click

from db.clock import Moment
from db.registry.api_tokens import ApiToken, TokenReach, create_api_token, list_api_tokens, revoke_api_token
from handlers.cli.output import json_option, note, print_json, print_table
from handlers.cli.session import living_tenant, operator, session
from handlers.services import Services
from handlers.tenant.own_schema import charter_of
from handlers.tenant.provisioning import find_tenant
from handlers.tenant.token_reach import vault_reach

_COLUMNS = ("id", "name", "prefix", "role", "reach", "state", "last_used_at")


@click.group()
def tokens() -> None:
    """Make, list and revoke API tokens.

    \b
    Example:
      vaultry tokens list --vault aurora
    """


@tokens.command()
@click.argument("name")
@click.option("--operator", "for_operator", is_flag=True, help="Reaches every vault, with every right.")
@click.option("--vault", metavar="SLUG", help="Reaches this vault only; needs --role or --sql.")
@click.option("--role", help="Acts as this role of the vault's charter.")
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Reaches this table only; repeatable.")
@click.option("--verb", "verbs", multiple=True, metavar="NAME", help="May call this verb only; repeatable.")
@click.option("--read-only", is_flag=True, help="May write nothing.")
@click.option("--sql", type=click.Choice(["read", "write"]), help="Runs SQL in the vault, and does nothing else.")
@click.option("--expires", metavar="TIMESTAMP", help="With an offset, such as 2027-01-01T00:00:00Z; default: never.")
@json_option
def create(
    name: str,
    vault: str | None,
    role: str | None,
    tables: tuple[str, ...],
    verbs: tuple[str, ...],
    sql: str | None,
    expires: str | None,
    *,
    for_operator: bool,
    read_only: bool,
    as_json: bool,
) -> None:
    """Make a token and show it, this once.

    Interrupted: a token may have been made that nobody saw; `tokens list` shows it, `tokens revoke` ends it.

    \b
    Example:
      vaultry tokens create backup --operator --read-only
      vaultry tokens create website --vault aurora --role member --table works --read-only
      vaultry tokens create reports --vault shop --sql read
    """
    if for_operator == (vault is not None):
        raise click.UsageError("wanted either --operator, or --vault with --role or --sql")
    if sql is not None and (for_operator or role or tables or verbs or read_only):
        raise click.UsageError("--sql belongs to --vault and says it all; no --role, --table, --verb or --read-only")
    if (vault is None) != (role is None and sql is None):
        raise click.UsageError("--role belongs to --vault, and --vault needs it, or --sql")
    if for_operator and (tables or verbs):
        raise click.UsageError("--table and --verb narrow a token of one vault; an operator token reaches whole vaults")
    with session() as services:
        if vault is None:
            reach = TokenReach(read_only=read_only, expires_at=expires)
        elif role is None:
            reach = TokenReach(living_tenant(services, vault).id, sql=sql, expires_at=expires)
        else:
            entry = living_tenant(services, vault)
            charter = charter_of(services, entry)
            reach = vault_reach(charter, entry, role, tables, verbs, read_only=read_only, expires_at=expires)
        now = services.clock()
        plain, token = services.registry_write(
            lambda tx: create_api_token(tx, name, reach, now), operator(services, "tokens.create"), now
        )
    if as_json:
        print_json({**asdict(token), "token": plain})
        return
    note(f"token {token.name}, id {token.id}; keep it, it is not shown again:")
    click.echo(plain)


@tokens.command("list")
@click.option("--vault", metavar="SLUG", help="Those of this vault; default: the operator's.")
@json_option
def list_tokens(vault: str | None, *, as_json: bool) -> None:
    """List the operator's tokens, or those of a vault, the newest first; revoked and expired ones included.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry tokens list --vault aurora
    """
    with session() as services:
        vault_id, now = _vault_id(services, vault), services.clock()
        found = services.registry_read(lambda tx: list_api_tokens(tx, vault_id), current=True)
    if as_json:
        print_json([{**asdict(token), "state": _state(token, now)} for token in found])
        return
    rows = [
        (token.id, token.name, f"{token.prefix}…", token.role, _reach(token), _state(token, now), token.last_used_at)
        for token in found
    ]
    print_table(_COLUMNS, rows)


@tokens.command()
@click.argument("token_id", metavar="ID")
@click.option("--vault", metavar="SLUG", help="Whose token it is; default: the operator's.")
@json_option
def revoke(token_id: str, vault: str | None, *, as_json: bool) -> None:
    """Refuse a token from now on; running servers follow within 2 seconds.

    Interrupted: it is revoked or not; a second time changes nothing.

    \b
    Example:
      vaultry tokens revoke 01a1f943-cd32-7a8a-95bb-3741bb5f9282 --vault aurora
    """
    with session() as services:
        vault_id, now = _vault_id(services, vault), services.clock()
        token = services.registry_write(
            lambda tx: revoke_api_token(tx, token_id, vault_id, now), operator(services, "tokens.revoke"), now
        )
    if as_json:
        print_json(asdict(token))
    else:
        note(f"token {token.name} is refused since {token.revoked_at}")


def _vault_id(services: Services, slug: str | None) -> str | None:
    return None if slug is None else find_tenant(services, slug).id


def _reach(token: ApiToken) -> str:
    """What the token is narrowed to, in words."""
    if token.sql is not None:
        return f"SQL, {'read only' if token.sql == 'read' else 'reading and writing'}"
    names = [*sorted(token.tables or ()), *sorted(token.verbs or ())]
    everything = "all" if token.tables is None and token.verbs is None else "nothing"
    return ", ".join(names or [everything]) + (", read only" if token.read_only else "")


def _state(token: ApiToken, now: Moment) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now.text else "active"
