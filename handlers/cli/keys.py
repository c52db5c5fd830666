"""`vaultry keys`: the key pairs that sign access tokens. Rotation happens by itself; this is for when one leaked."""

from collections.abc import Callable
from dataclasses import asdict

import click

from db.clock import Moment
from db.registry.signing_keys import (
    SigningKey,
    activate_signing_key,
    create_signing_key,
    list_signing_keys,
    revoke_signing_key,
)
from db.transaction import WriteTx
from handlers.cli.output import json_option, note, print_json, print_table
from handlers.cli.session import operator, session
from handlers.services import Services

_COLUMNS = ("key_id", "algorithm", "state", "created_at", "activated_at", "revoked_at")


@click.group()
def keys() -> None:
    """Look after the keys that sign access tokens.

    \b
    Example:
      vaultry keys list
    """


@keys.command("list")
@json_option
def list_keys(*, as_json: bool) -> None:
    """List every key, the newest first.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry keys list
    """
    with session() as services:
        found = services.registry_read(list_signing_keys, current=True)
    if as_json:
        print_json([{**asdict(key), "state": _state(key)} for key in found])
    else:
        print_table(
            _COLUMNS, [(k.key_id, k.algorithm, _state(k), k.created_at, k.activated_at, k.revoked_at) for k in found]
        )


@keys.command()
@json_option
def create(*, as_json: bool) -> None:
    """Make a key pair of VAULTRY_SIGNING_ALGORITHM that is published and does not sign yet.

    Interrupted: a key may have been made; `keys list` shows it, and an unused one does no harm.

    \b
    Example:
      vaultry keys create
    """

    def make(services: Services, tx: WriteTx, now: Moment) -> SigningKey:
        return create_signing_key(tx, services.keyring, now, services.settings.signing_algorithm)

    _change("keys.create", make, as_json=as_json)


@keys.command()
@click.argument("key_id", metavar="KEY")
@click.option("--at-once", is_flag=True, help="Skip the hour in which verifiers learn of it; for a leak.")
@json_option
def activate(key_id: str, *, at_once: bool, as_json: bool) -> None:
    """Let a key sign from now on.

    Interrupted: it signs or not; a second time changes nothing.

    \b
    Example:
      vaultry keys activate 5f0c7a1be2d94c38
    """
    _change("keys.activate", lambda _, tx, now: activate_signing_key(tx, key_id, now, at_once=at_once), as_json=as_json)


@keys.command()
@click.argument("key_id", metavar="KEY")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def revoke(key_id: str, *, yes: bool, as_json: bool) -> None:
    """Trust a key no more: access tokens it signed fail within 5 minutes, and their holders refresh.

    Interrupted: it is revoked or not; a second time changes nothing.

    \b
    Example:
      vaultry keys revoke 5f0c7a1be2d94c38
    """
    if not yes:
        click.confirm(f"Refuse every access token signed by {key_id}?", abort=True, err=True)
    _change("keys.revoke", lambda _, tx, now: revoke_signing_key(tx, key_id, now), as_json=as_json)


def _change(verb: str, change: Callable[[Services, WriteTx, Moment], SigningKey], *, as_json: bool) -> None:
    with session() as services:
        now = services.clock()
        key = services.registry_write(lambda tx: change(services, tx, now), operator(services, verb), now)
    if as_json:
        print_json({**asdict(key), "state": _state(key)})
    else:
        note(f"signing key {key.key_id} is {_state(key)}")


def _state(key: SigningKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "published" if key.activated_at is None else "activated"
