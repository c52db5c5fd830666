"""`vaultry sign-in`: how one vault signs people in. Knows names of settings; not what they do."""

import click

from db.registry.sign_in_settings import NAMES, SignInSettings, read_sign_in_settings, set_sign_in_setting
from handlers.cli.output import json_option, note, print_json, print_table
from handlers.cli.session import living_tenant, operator, session


@click.group("sign-in")
def sign_in() -> None:
    """Say who may sign up to a vault, where its links may lead, and who needs a second factor.

    \b
    Example:
      vaultry sign-in show aurora
    """


@sign_in.command()
@click.argument("slug")
@json_option
def show(slug: str, *, as_json: bool) -> None:
    """Show how a vault signs people in.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry sign-in show aurora
    """
    with session() as services:
        entry = living_tenant(services, slug)
        found = services.registry_read(lambda tx: read_sign_in_settings(tx, entry.id), current=True)
    _print(found, as_json=as_json)


@sign_in.command("set")
@click.argument("slug")
@click.argument("name", type=click.Choice(sorted(NAMES)))
@click.argument("value")
@json_option
def set_one(slug: str, name: str, value: str, *, as_json: bool) -> None:
    """Set one setting of a vault; an empty VALUE takes it back to its default. Running servers follow in 2 seconds.

    Interrupted: it is set or not; a second time changes nothing.

    \b
    Example:
      vaultry sign-in set aurora auth.redirects "https://choir.example/*,choirapp://signed-in"
      vaultry sign-in set aurora auth.mfa required
    """
    with session() as services:
        entry, now = living_tenant(services, slug), services.clock()
        actor = operator(services, "sign_in.set")
        found = services.registry_write(lambda tx: set_sign_in_setting(tx, entry.id, name, value), actor, now)
    if not as_json:
        note(f"{name} of {slug} is set")
    _print(found, as_json=as_json)


def _print(found: SignInSettings, *, as_json: bool) -> None:
    values = {"auth.mfa": found.mfa, "auth.redirects": ",".join(found.redirects), "auth.signup": found.signup}
    if as_json:
        print_json(values)
        return
    print_table(("name", "value", "meaning"), [(name, values[name], NAMES[name]) for name in sorted(NAMES)])
