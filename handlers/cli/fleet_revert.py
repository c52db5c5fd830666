"""`vaultry fleet revert`: back to the bookmarks of a rollout. Shows what would be lost and asks; reverts nothing."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import click

from handlers.cli.fleet_options import concurrency_option
from handlers.cli.output import json_option, note, print_json, printable
from handlers.cli.progress import Interruption, Report, interruption, progress
from handlers.cli.session import operator, session
from handlers.fleet.loss import Loss, Way
from handlers.fleet.one_vault import Failure
from handlers.fleet.reversal import Reverted, Selection, losses, select_rollout, select_vault
from handlers.fleet.reversal import revert as revert_fleet
from handlers.services import Services

_NAMED = 20
_SHOWN = 6


@dataclass(slots=True)
class _Preview:
    """What a revert would do. lossy: the vaults that lose most, at most twenty; unknown: those that could not be
    asked, as many."""

    needs: Counter[str] = field(default_factory=Counter[str])
    losing: int = 0
    commits: int = 0
    lossy: list[Loss] = field(default_factory=list[Loss])
    unknown: list[Loss] = field(default_factory=list[Loss])

    def add(self, loss: Loss) -> None:
        """Count one vault."""
        if loss.failure is not None:
            self.unknown = [*self.unknown, loss][:_NAMED]
            return
        self.needs[loss.need] += 1
        self.losing += loss.commits > 0
        self.commits += loss.commits
        if loss.commits:
            self.lossy = sorted([*self.lossy, loss], key=lambda each: -each.commits)[:_NAMED]


@dataclass(slots=True)
class _Done:
    """What became of the vaults. counts: by what was needed."""

    counts: Counter[str] = field(default_factory=Counter[str])
    failed: list[Reverted] = field(default_factory=list[Reverted])


@click.command()
@click.option("--vault", metavar="SLUG", help="One vault: before the steps it was given last.")
@click.option("--ring", metavar="RING", help="Only this ring of the rollout.")
@click.option("--rollout", "rollout_id", metavar="ID", help="Another than the last one.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@concurrency_option
@json_option
def revert(
    vault: str | None, ring: str | None, rollout_id: str | None, concurrency: int, *, yes: bool, as_json: bool
) -> None:
    """Take vaults back to where a rollout found them, schema and all.

    Says first what was written since and would be lost, and asks. Each vault goes back in one commit, which holds its
    schema there: no process applies the step again until the next `fleet roll`. Until then a release that needs the
    step answers writes with 503; one without it serves the vault as before.

    Interrupted, or killed: each vault went back or did not; run it again.

    \b
    Example:
      vaultry fleet revert --vault aurora
      vaultry fleet revert --ring canary
    """
    if vault is None and ring is None and rollout_id is None:
        raise click.UsageError("say what goes back: --vault SLUG, --ring RING or --rollout ID")
    if vault is not None and (ring is not None or rollout_id is not None):
        raise click.UsageError("--vault goes alone")
    with session() as services, interruption() as stop:
        selection = select_rollout(services, rollout_id, ring) if vault is None else select_vault(services, vault)
        preview = _preview(services, selection, concurrency, stop)
        _show(preview)
        if preview.needs["revert"] and not yes:
            click.confirm("Revert?", abort=True, err=True)
        done = _done(services, selection, concurrency, stop)
    if as_json:
        print_json(_record(preview, done))
    else:
        for each in done.failed:
            click.echo(printable(f"failed: {_name(each.way)}: {_text(each.failure)}"))
        counts = done.counts
        untouched = counts["nothing"] + counts["later"]
        click.echo(f"went back: {counts['revert']}, had gone back: {counts['held']}, untouched: {untouched}")
    if done.failed:
        raise click.exceptions.Exit(1)


def _preview(services: Services, selection: Selection, concurrency: int, stop: Interruption) -> _Preview:
    preview = _Preview()
    with progress() as report:
        for loss in losses(services, selection, concurrency, _told(report, stop)):
            preview.add(loss)
    return preview


def _done(services: Services, selection: Selection, concurrency: int, stop: Interruption) -> _Done:
    done = _Done()
    with progress() as report:
        actor = operator(services, "fleet.revert")
        for each in revert_fleet(services, selection, actor, concurrency, _told(report, stop)):
            if each.failure is not None:
                done.failed.append(each)
            else:
                done.counts[each.need] += 1
    return done


def _told(report: Report, stop: Interruption) -> Report:
    def told(label: str, done: int, total: int) -> None:
        report(label, done, total)
        stop.check()

    return told


def _show(preview: _Preview) -> None:
    """What would go back, and what would be lost with it."""
    for loss in preview.unknown:
        note(f"cannot say: {_name(loss.way)}: {_text(loss.failure)}")
    for loss in preview.lossy:
        note(
            f"{_name(loss.way)} loses {loss.commits} commits of {loss.first_at} to {loss.last_at}, by "
            f"{_most(loss.actors)}, in {_most(loss.tables)}"
        )
    if preview.losing > len(preview.lossy):
        note(f"and {preview.losing - len(preview.lossy)} vaults more")
    needs = preview.needs
    note(
        f"{needs['revert']} vaults go back, {needs['held']} have gone back, {needs['nothing']} were not touched, "
        f"{needs['later']} have had later steps and stay; {preview.losing} lose {preview.commits} commits"
    )


def _record(preview: _Preview, done: _Done) -> dict[str, Any]:
    return {
        "reverted": done.counts["revert"],
        "held_before": done.counts["held"],
        "untouched": done.counts["nothing"],
        "later": done.counts["later"],
        "lost_commits": preview.commits,
        "lost": [
            {
                "slug": loss.way.slug,
                "commits": loss.commits,
                "first_at": loss.first_at,
                "last_at": loss.last_at,
                "actors": dict(loss.actors),
                "tables": dict(loss.tables),
            }
            for loss in preview.lossy
        ],
        "failed": [
            {"slug": each.way.slug, "id": each.way.vault_id, "error": _text(each.failure)} for each in done.failed
        ],
    }


def _most(counted: Counter[str]) -> str:
    names = [f"{name} ({count})" for name, count in counted.most_common(_SHOWN)]
    return ", ".join(names) + (" ..." if len(counted) > _SHOWN else "")


def _name(way: Way) -> str:
    return way.slug or way.vault_id


def _text(failure: Failure | None) -> str:
    return "" if failure is None else f"{failure.message} ({failure.code})"
