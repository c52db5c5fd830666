"""`vaultry migrations`: a schema of one's own, brought in by the folder of its tool. Prints; applies nothing itself."""

from pathlib import Path
from typing import cast

import click

from db.own_migrations.folder import FORMATS, Format
from db.registry.directory import VaultEntry
from handlers.cli.output import json_option, note, print_json, printable
from handlers.cli.progress import interruption, progress
from handlers.cli.refusal import INTERRUPTED
from handlers.cli.session import living_tenant, operator, session
from handlers.fleet_query import choose_vaults
from handlers.services import Services
from handlers.tenant.own_migrations import Brought, bring, look_at
from handlers.tenant.provisioning import every_tenant

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_format = click.option(
    "--format", "how", type=click.Choice(FORMATS), help="Whose folder it is; default: as the folder and the vault tell."
)


@click.group()
def migrations() -> None:
    """Bring a schema of your own into vaults: the folders of wrangler and drizzle, or numbered files.

    \b
    Example:
      vaultry migrations apply shop migrations
    """


@migrations.command("list")
@click.argument("slug")
@click.argument("folder", type=_FOLDER)
@_format
@json_option
def list_steps(slug: str, folder: Path, how: str | None, *, as_json: bool) -> None:
    """Show which steps of a folder a vault has had.

    Status 1 if a step that ran was edited, or one is missing before it.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry migrations list shop drizzle
    """
    with session() as services:
        found = look_at(services, living_tenant(services, slug), folder, _as_format(how))
    if as_json:
        print_json(_plain(found))
    elif found.error is None:
        for name in found.steps:
            click.echo(printable(f"{'due    ' if name in found.due else 'applied'}  {name}"))
        note(f"{len(found.steps)} steps as {found.format} keeps them, {len(found.due)} due")
    else:
        _say(found)
    if found.error is not None:
        raise click.exceptions.Exit(1)


@migrations.command()
@click.argument("names", metavar="[SLUG] FOLDER", nargs=-1, required=True)
@_format
@click.option("--label", metavar="LABEL", help="Every active tenant that has it, in place of SLUG.")
@click.option("--all", "every", is_flag=True, help="Every active blank vault, in place of SLUG.")
@click.option("--dry-run", is_flag=True, help="Only say what is due; status 1 if anything is.")
@json_option
def apply(
    names: tuple[str, ...], how: str | None, label: str | None, *, every: bool, dry_run: bool, as_json: bool
) -> None:
    """Apply what a vault, or many, have not had of a folder.

    With meta/_journal.json it is drizzle's, and noted in __drizzle_migrations; numbered files are wrangler's, and noted
    in d1_migrations, unless --format vaultry says that Vaultry keeps the record itself, with a hash of each file. Both
    tools find their tables as they would have left them, so that either may go on.

    Each step is one commit, whole or not at all, under the rules for raw SQL, and audited. A vault that fails stays at
    the step before and never stops the others; then the status is 1.

    Interrupted, or killed: run it again; what a vault has had is not applied twice, also when two do it at once.

    \b
    Example:
      vaultry migrations apply shop migrations --dry-run
      vaultry migrations apply shop drizzle
      vaultry migrations apply --label pilot migrations
    """
    if len(names) != (1 if label or every else 2) or (label and every):
        raise click.UsageError("wanted SLUG and FOLDER, or FOLDER with either --label or --all")
    folder = Path(names[-1])
    if not folder.is_dir():
        raise click.BadParameter(f"there is no folder {folder}", param_hint="FOLDER")
    with session() as services:
        entries = _entries(services, names, label, every=every)
        outcomes, stopped = _all(services, entries, folder, _as_format(how), dry_run=dry_run, as_json=as_json)
    if as_json:
        print_json([_plain(outcome) for outcome in outcomes])
    elif label or every:
        bad = sum(outcome.state == "failed" for outcome in outcomes)
        note(f"{len(outcomes)} of {len(entries)} vaults looked at, {bad} failed")
    if stopped:
        raise click.exceptions.Exit(INTERRUPTED)
    if any(outcome.state in ("failed", "due") for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _all(
    services: Services, entries: list[VaultEntry], folder: Path, how: Format | None, *, dry_run: bool, as_json: bool
) -> tuple[list[Brought], bool]:
    """What became of each vault, and whether somebody stopped it before the last."""
    actor = operator(services, "migrations.apply")
    outcomes: list[Brought] = []
    with progress() as report, interruption() as stop:
        try:
            for number, entry in enumerate(entries, 1):

                def done(count: int, total: int, slug: str | None = entry.slug) -> None:
                    report(f"{slug} steps", count, total)
                    stop.check()

                if dry_run:
                    outcomes.append(look_at(services, entry, folder, how))
                else:
                    outcomes.append(bring(services, entry, folder, how, actor, done))
                if not as_json:
                    _say(outcomes[-1])
                report("vaults", number, len(entries))
                stop.check()
        except KeyboardInterrupt:
            note("interrupted: run it again to go on")
            return outcomes, True
    return outcomes, False


def _entries(services: Services, names: tuple[str, ...], label: str | None, *, every: bool) -> list[VaultEntry]:
    if label:
        return choose_vaults(services, charter=None, label=label)
    if every:
        return [entry for entry in every_tenant(services, "active") if services.charter(entry).own_schema is not None]
    return [living_tenant(services, names[0])]


def _say(outcome: Brought) -> None:
    """Lines for people, as soon as they are known."""
    named = outcome.applied or outcome.due
    click.echo(printable(f"{outcome.slug}: {outcome.state}" + (f": {', '.join(named)}" if named else "")))
    if outcome.error is not None:
        note(printable(f"{outcome.slug}: {outcome.error.message} ({outcome.error.code})"))


def _plain(outcome: Brought) -> dict[str, object]:
    error = None if outcome.error is None else {"code": outcome.error.code, "message": outcome.error.message}
    return {
        "slug": outcome.slug,
        "id": outcome.vault_id,
        "state": outcome.state,
        "format": outcome.format,
        "applied": list(outcome.applied),
        "due": list(outcome.due),
        "error": error,
        "bookmark": outcome.bookmark,
    }


def _as_format(how: str | None) -> Format | None:
    return cast("Format | None", how)
