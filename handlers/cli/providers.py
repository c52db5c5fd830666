"""`vaultry providers`: identity providers that people may sign in with. Shows no secret."""

from dataclasses import asdict
from typing import Any

import click

from db.registry.identity_providers import KINDS, IdentityProvider, add_provider, list_providers, remove_provider
from handlers.cli.output import json_option, note, print_json, print_table
from handlers.cli.session import operator, session

_COLUMNS = ("name", "kind", "issuer", "client_id", "scopes", "trusts_email")


@click.group()
def providers() -> None:
    """Let people sign in with Google, GitHub or any OpenID Connect provider, in every vault.

    \b
    Example:
      vaultry providers list
    """


@providers.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), help="Default: NAME where it is a preset, else oidc.")
@click.option("--issuer", default="", metavar="URL", help="Of an OpenID Connect provider, or of GitHub Enterprise.")
@click.option("--client-id", required=True, help="As the provider gave it.")
@click.option("--client-secret", envvar="CLIENT_SECRET", help="As the provider gave it; read from CLIENT_SECRET too.")
@click.option("--public", is_flag=True, help="The client has no secret; PKCE alone protects it.")
@click.option("--scopes", default="", help="Asked of the provider; default: those of the preset.")
@click.option("--distrust-email", is_flag=True, help="Its verified addresses lead to no account that is there.")
@json_option
def add(
    name: str,
    kind: str | None,
    issuer: str,
    client_id: str,
    client_secret: str | None,
    scopes: str,
    *,
    public: bool,
    distrust_email: bool,
    as_json: bool,
) -> None:
    """Add a provider. The provider has to be told the address to send people back to, which is printed.

    Interrupted: it was added or not; `providers list` shows it.

    \b
    Example:
      CLIENT_SECRET=... vaultry providers add google --client-id 123.apps.googleusercontent.com
      vaultry providers add acme --issuer https://login.acme.example --client-id vaultry --public
    """
    if client_secret is None and not public:
        client_secret = click.prompt("Client secret", hide_input=True, err=True)
    chosen = kind or (name if name in KINDS else "oidc")
    with session() as services:
        now = services.clock()
        made = services.registry_write(
            lambda tx: add_provider(
                tx,
                services.keyring,
                name,
                chosen,
                now,
                client_id=client_id,
                secret="" if public else client_secret or "",
                issuer=issuer,
                scopes=scopes,
                trusts_email=not distrust_email,
            ),
            operator(services, "providers.add"),
            now,
        )
        callback = f"{services.settings.base_url}/auth/v1/callback"
    if as_json:
        print_json({**_shown(made), "callback": callback})
        return
    note(f"tell {made.name} to send people back to:")
    click.echo(callback)


@providers.command("list")
@json_option
def list_all(*, as_json: bool) -> None:
    """List the providers, without their secrets.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry providers list --json
    """
    with session() as services:
        found = services.registry_read(list_providers, current=True)
    if as_json:
        print_json([_shown(known) for known in found])
        return
    print_table(_COLUMNS, [tuple(_shown(known)[column] for column in _COLUMNS) for known in found])


@providers.command()
@click.argument("name")
@json_option
def remove(name: str, *, as_json: bool) -> None:
    """Let nobody sign in with a provider any more. Identities stay linked for when it comes back.

    Interrupted: it was removed or not; `providers list` shows it.

    \b
    Example:
      vaultry providers remove acme
    """
    with session() as services:
        now = services.clock()
        services.registry_write(lambda tx: remove_provider(tx, name), operator(services, "providers.remove"), now)
    if as_json:
        print_json({"removed": name})
    else:
        note(f"nobody signs in with {name} any more")


def _shown(known: IdentityProvider) -> dict[str, Any]:
    return {name: value for name, value in asdict(known).items() if name != "secret"}
