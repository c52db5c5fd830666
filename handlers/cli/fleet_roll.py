"""`vaultry fleet roll`: migrating the fleet ring by ring. Prints where it stands; migrates nothing itself."""

import click

from handlers.cli.fleet_options import charter_option, concurrency_option
from handlers.cli.fleet_plan import show_status, status_record
from handlers.cli.output import json_option, note, print_json
from handlers.cli.progress import interruption, progress
from handlers.cli.session import operator, session
from handlers.fleet.rollout import DEFAULT_BUDGET, DEFAULT_RINGS, Wish, begin_or_resume, work_on
from handlers.fleet.status import fleet_status


@click.command()
@click.option("--rings", default=DEFAULT_RINGS, show_default=True, help="Of a new rollout, in order.")
@click.option("--canary", "canaries", multiple=True, metavar="SLUG", help="A canary; default: one vault in a hundred.")
@click.option(
    "--error-budget",
    default="",
    metavar="N|P%",
    help=f"Failures that pass: of the rollout, or a share of each ring. Default {DEFAULT_BUDGET}.",
)
@charter_option
@click.option("--new", is_flag=True, help="Begin another rollout, in place of one that is not done.")
@click.option("--retry-failed", is_flag=True, help="Come to the failed vaults of the rollout once more.")
@concurrency_option
@json_option
def roll(
    rings: str,
    canaries: tuple[str, ...],
    error_budget: str,
    charter: str | None,
    concurrency: int,
    *,
    new: bool,
    retry_failed: bool,
    as_json: bool,
) -> None:
    """Bring the active vaults to this release, ring by ring; halt when too many fail.

    Each vault's bookmark is noted before it is touched: `fleet revert` goes back to it. A vault that fails stays at
    its old step and can be read. Two operators may roll at once: they share the work. Status 1 if it is halted or a
    vault failed.

    Interrupted, or killed: each step is one commit, applied or not; `fleet roll` goes on with the same rollout.

    \b
    Example:
      vaultry fleet roll
      vaultry fleet roll --rings canary,5%,25%,all --canary aurora --error-budget 3
    """
    wish = Wish(charter, rings, canaries, error_budget, new, retry_failed)
    with session() as services, progress() as report, interruption() as stop:
        actor = operator(services, "fleet.roll")
        rollout = begin_or_resume(services, wish, actor)
        if rollout is None:
            print_json({"rollout": None}) if as_json else note("every active vault is at this release, by the registry")
            return
        if not as_json:
            note(f"rollout {rollout.id}")

        def told(ring: str, done: int, total: int) -> None:
            report(f"ring {ring}", done, total)
            stop.check()

        work_on(services, rollout, actor, concurrency, told)
        found = fleet_status(services, rollout.id)
    if as_json:
        print_json(status_record(found))
    else:
        show_status(found)
    if found.failures or found.rollout is None or found.rollout.state != "done":
        raise click.exceptions.Exit(1)
