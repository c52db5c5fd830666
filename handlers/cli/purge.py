"""`vaultry tenants purge` and `vaultry certificates`: erasing for good, and the proof of it. Erases nothing itself."""

from typing import Any

import click

from db.clock import Moment
from db.errors import Invalid, NotFound
from db.registry.erasures import KIND, Erasure, list_erasures
from db.registry.signed_documents import read_document
from handlers.cli.output import json_option, note, print_json, print_record, print_table
from handlers.cli.progress import progress
from handlers.cli.session import operator, session
from handlers.cli.tenants import tenants
from handlers.services import Services
from handlers.tenant.provisioning import find_tenant
from handlers.tenant.purging import VERB, purge_due
from handlers.tenant.purging import purge as purge_tenant

_COLUMNS = ("certificate", "vault", "charter", "begun_at", "issued_at", "signature")
_STEPS = ("begin", "key", "objects", "copies", "certificate", "sweep")
_DAY_MS = 86_400_000


@tenants.command()
@click.argument("slug", required=False)
@click.option("--force-before-30-days", "early", is_flag=True, help="Do not wait for the 30 days to pass.")
@click.option("--yes", is_flag=True, help="Do not ask for the slug again.")
@json_option
def purge(slug: str | None, *, early: bool, yes: bool, as_json: bool) -> None:
    """Erase a deleted tenant for good.

    Without SLUG: every tenant that was deleted 30 days ago or earlier, which maintenance does by itself.

    Its data key is destroyed, every object of its vault and its local copies are removed, and with them its tokens,
    sessions and memberships. Nothing brings it back. A signed certificate says what was destroyed.

    Interrupted: what was begun is finished by the next run; `vaultry certificates` shows what is.

    \b
    Example:
      vaultry tenants purge aurora
      vaultry tenants purge aurora --force-before-30-days
    """
    if slug is None:
        _purge_due(early=early, as_json=as_json)
        return
    with session() as services, progress() as report:
        entry = find_tenant(services, slug)
        if not yes and click.prompt(f"Repeat the slug to erase {slug} for good", err=True).strip() != slug:
            raise Invalid("the slugs differ; nothing was erased", code="not_confirmed")

        def step(name: str) -> None:
            report(f"erasing {slug}", _STEPS.index(name), len(_STEPS))

        erasure = purge_tenant(services, entry, operator(services, VERB), early=early, step=step)
        told = _told(services, erasure)
    if as_json:
        print_json(told)
    else:
        note(f"{slug} is erased; its certificate:")
        click.echo(erasure.id)


@click.command()
@click.argument("name", metavar="[SLUG|ID]", required=False)
@json_option
def certificates(name: str | None, *, as_json: bool) -> None:
    """Show the certificates of erased tenants, their signatures checked.

    NAME may be the slug the tenant had, the id of its vault, or that of the certificate; it is then shown whole, with
    the signed document itself under --json.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry certificates
      vaultry certificates aurora --json
    """
    with session() as services:
        found = services.registry_read(lambda tx: list_erasures(tx, services.keyring, name), current=True)
        if name is not None and not found:
            raise NotFound(f"no certificate for {name!r}; `vaultry certificates` lists them all")
        told = [_told(services, erasure) for erasure in found]
    if as_json:
        print_json(told)
    elif name is None:
        print_table(_COLUMNS, [[line.get(column) for column in _COLUMNS] for line in told])
    else:
        for line in told:
            print_record({key: value for key, value in line.items() if key != "document"})


def _purge_due(*, early: bool, as_json: bool) -> None:
    if early:
        raise click.UsageError("--force-before-30-days needs the slug of one tenant")
    with session() as services:
        now = services.clock()
        counts = purge_due(services, now, Moment(now.ms + _DAY_MS))
    if as_json:
        print_json(dict(counts))
    else:
        click.echo(f"erased: {counts['purged']}")


def _told(services: Services, erasure: Erasure) -> dict[str, Any]:
    """A certificate as it is shown; an erasure under way by what is known of it."""
    if erasure.document is None:
        facts = {"certificate": erasure.id, "vault": erasure.vault_id, **erasure.facts, "begun_at": erasure.begun_at}
        return {**facts, "issued_at": None, "signature": "none: the erasure is not finished"}
    document = erasure.document
    try:
        checked = services.registry_read(lambda tx: read_document(tx, KIND, document))
    except Invalid as exc:
        return {"certificate": erasure.id, "vault": erasure.vault_id, "signature": exc.message, "document": document}
    signature = f"valid, key {checked.key_id}"
    if checked.key_revoked_at is not None:
        signature += f", which was retired at {checked.key_revoked_at}"
    return {**checked.content, "signature": signature, "document": document}
