"""Taking a rollout back, vault by vault. Knows the registry's rows; no step by name, and nobody to ask.

Each vault goes back in one commit that restores its bookmark and holds its schema there, so that no process applies
the step again on its next open; the registry follows. Killed in between, a repeat finds the vault held and notes it.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TypeVar

from db.errors import Conflict, Invalid
from db.history.points import restore
from db.registry.rollout_vaults import RolloutVault, State, newest_rollout_vault, note_reverted, rollout_vaults
from db.registry.rollouts import halt_rollout
from db.schema.state import last_steps
from db.schema.upkeep import held_refusal
from db.transaction import Actor, WriteTx
from domain.charters import CHARTERS
from handlers.fleet.loss import Loss, Need, Way, measure_loss, need_of
from handlers.fleet.one_vault import FAILURES, Failure, failure_of, open_as_is
from handlers.fleet.scratch import Run, scratch_run
from handlers.fleet.status import rollout_or_last
from handlers.fleet.target import named_standing
from handlers.services import Services
from handlers.tenant.forgetting import settling
from handlers.tenant.vault_state import VaultState, record_state, vault_state

T = TypeVar("T")
Report = Callable[[str, int, int], None]
_TOUCHED: tuple[State, ...] = ("begun", "migrated", "failed")
_BATCH = 16
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Selection:
    """What is taken back: one vault, or a rollout (ring: index of the only ring, None = all). total: vaults."""

    total: int
    way: Way | None = None
    rollout_id: str | None = None
    ring: int | None = None


@dataclass(frozen=True, slots=True)
class Reverted:
    """What became of one vault. need: as it was found. state: how it stands now; None after a failure."""

    way: Way
    need: Need = "nothing"
    state: VaultState | None = None
    failure: Failure | None = None


def select_vault(services: Services, name: str) -> Selection:
    """One vault: before the rollout that came to it last, or the steps that were applied to it since.

    Raises NotFound, Conflict (no_bookmark).
    """
    standing = named_standing(services, name)
    row = services.registry_read(lambda tx: newest_rollout_vault(tx, standing.vault_id), current=True)
    way = None if row is None else _way(row)
    with scratch_run(services) as run:
        kind = services.kind(CHARTERS[standing.charter])
        with closing(open_as_is(run.site, standing.vault_id, kind)) as vault:
            last = vault.read_raw(lambda connection, _: last_steps(connection)).value
    if last is not None and last.bookmark is not None and (way is None or last.applied_at > (way.until or "~")):
        way = Way(standing.vault_id, standing.slug, standing.charter, last.bookmark, last.numbers)
    if way is None:
        raise Conflict(
            f"no step was applied to {name} since it was made",
            code="no_bookmark",
            hint=f"`vaultry history {name}` shows its commits, `vaultry restore` goes back to one",
        )
    return Selection(1, way)


def select_rollout(services: Services, rollout_id: str | None, ring: str | None) -> Selection:
    """A ring or the whole of a rollout, None = the last one. Raises NotFound, Invalid for a ring it does not have."""
    rollout = services.registry_read(lambda tx: rollout_or_last(tx, rollout_id), current=True)
    names = [known.name for known in rollout.rings]
    if ring is not None and ring not in names:
        raise Invalid(f"rollout {rollout.id} has no ring {ring!r}, but: {', '.join(names)}", field="ring")
    whole = Selection(0, None, rollout.id, None if ring is None else names.index(ring))
    return replace(whole, total=sum(1 for _ in _ways(services, whole)))


def losses(services: Services, selection: Selection, concurrency: int, report: Report) -> Iterator[Loss]:
    """What each vault would lose. Opens them; changes nothing."""
    for batch in _through(services, selection, concurrency, report, partial(measure_loss, services)):
        yield from batch


def revert(
    services: Services, selection: Selection, actor: Actor, concurrency: int, report: Report
) -> Iterator[Reverted]:
    """Take the vaults back; a rollout that is still running is halted first."""
    if selection.rollout_id is not None:
        stop = partial(halt_rollout, rollout_id=selection.rollout_id, because="the operator takes it back")
        services.registry_write(stop, actor, services.clock())
    for batch in _through(services, selection, concurrency, report, partial(_revert_one, services, actor)):
        services.registry_write(partial(_note, services=services, batch=batch), actor, services.clock())
        yield from batch


def _through(
    services: Services,
    selection: Selection,
    concurrency: int,
    report: Report,
    one: Callable[[Run, Way], T],
) -> Iterator[list[T]]:
    """What `one` makes of each vault, some at a time."""
    done, ways = 0, _ways(services, selection)
    with scratch_run(services) as run, ThreadPoolExecutor(concurrency, thread_name_prefix="revert") as threads:
        while batch := list(islice(ways, _BATCH)):
            yield list(threads.map(partial(one, run), batch))
            done += len(batch)
            report("vaults", done, max(done, selection.total))


def _ways(services: Services, selection: Selection) -> Iterator[Way]:
    """The ways back it is about, a page of them in memory at a time."""
    if selection.way is not None:
        yield selection.way
    after, rollout_id = "", selection.rollout_id
    while rollout_id is not None:
        wanted = partial(rollout_vaults, rollout_id=rollout_id, states=_TOUCHED, ring=selection.ring)
        page = services.registry_read(partial(wanted, after=after, most=_PAGE))
        yield from (way for row in page if (way := _way(row)) is not None)
        if len(page) < _PAGE:
            return
        after = page[-1].vault_id


def _way(row: RolloutVault) -> Way | None:
    """The way back that a rollout noted, if it came so far."""
    if row.bookmark is None or row.numbers is None:
        return None
    return Way(row.vault_id, row.slug, row.charter, row.bookmark, row.numbers, row.rollout_id, row.ended_at)


def _revert_one(services: Services, actor: Actor, run: Run, way: Way) -> Reverted:
    kind = services.kind(CHARTERS[way.charter])
    try:
        with closing(open_as_is(run.site, way.vault_id, kind)) as vault:
            need = need_of(vault, way)
            if need == "revert":
                settle = settling(services, CHARTERS[way.charter], vault)
                restore(vault, run.site, way.bookmark, actor, hold=True, settle=settle)
            # As every process with this release finds it from now on.
            vault.refusal = held_refusal(vault, kind.sets)
            return Reverted(way, need, vault_state(vault))
    except FAILURES as exc:
        return Reverted(way, failure=failure_of(exc))
    finally:
        run.forget_copy(way.vault_id)


def _note(tx: WriteTx, services: Services, batch: list[Reverted]) -> None:
    """Tell the registry what became of the vaults."""
    now = services.clock()
    for done in batch:
        if done.state is not None and done.need in ("revert", "held"):
            if done.way.rollout_id is not None:
                note_reverted(tx, done.way.rollout_id, done.way.vault_id, now)
            record_state(tx, done.way.vault_id, done.state)
