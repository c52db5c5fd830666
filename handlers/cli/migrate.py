"""`vaultry migrate`: bring every vault to this release. Prints what became of each; applies nothing itself."""

import click

from handlers.cli.output import json_option, note, print_json, printable
from handlers.cli.progress import progress
from handlers.cli.session import living_tenant, operator, session
from handlers.services import Services
from handlers.tenant.migration import Migrated, migrate_registry, migrate_tenant
from handlers.tenant.provisioning import every_tenant


@click.command()
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--check", is_flag=True, help="Only say what is due; status 1 if anything is.")
@json_option
def migrate(slugs: tuple[str, ...], *, check: bool, as_json: bool) -> None:
    """Bring every vault to this release.

    That is the registry and all active vaults, or those named. A vault is also migrated when it is first opened after
    an upgrade: this does it beforehand. One that fails stays readable at the step before and never stops the rest;
    then the status is 1.

    Interrupted: each step is one commit, applied or not; run it again.

    \b
    Example:
      vaultry migrate --check
      vaultry migrate aurora
    """
    with session() as services:
        outcomes = [migrate_registry(services, check=check)]
        _say(outcomes[0], as_json=as_json)
        if outcomes[0].state in ("failed", "due"):
            # The directory of the others is in the registry, and reading it would open, so migrate, the registry.
            note("the registry comes first: the vaults were not looked at")
        else:
            outcomes += _tenants(services, slugs, check=check, as_json=as_json)
    bad = [outcome for outcome in outcomes if outcome.state in ("failed", "due")]
    if as_json:
        print_json([_plain(outcome) for outcome in outcomes])
    else:
        note(f"{len(outcomes)} looked at, {len(bad)} " + ("due or failing" if check else "failed"))
    if bad:
        raise click.exceptions.Exit(1)


def _tenants(services: Services, slugs: tuple[str, ...], *, check: bool, as_json: bool) -> list[Migrated]:
    entries = [living_tenant(services, slug) for slug in slugs] or every_tenant(services, "active")
    actor = operator(services, "migrate")
    outcomes: list[Migrated] = []
    with progress() as report:
        for done, entry in enumerate(entries, 1):
            outcomes.append(migrate_tenant(services, entry, actor, check=check))
            _say(outcomes[-1], as_json=as_json)
            report("vaults", done, len(entries))
    return outcomes


def _say(outcome: Migrated, *, as_json: bool) -> None:
    """One line for people, as soon as it is known."""
    if as_json:
        return
    steps = ", ".join(outcome.steps)
    if outcome.error is not None:
        click.echo(printable(f"{outcome.slug}: failed: {outcome.error.message} ({outcome.error.code})"))
    else:
        click.echo(f"{outcome.slug}: {outcome.state}" + (f": {steps}" if steps else ""))


def _plain(outcome: Migrated) -> dict[str, object]:
    error = None if outcome.error is None else {"code": outcome.error.code, "message": outcome.error.message}
    return {
        "slug": outcome.slug,
        "id": outcome.vault_id,
        "state": outcome.state,
        "steps": list(outcome.steps),
        "error": error,
    }
