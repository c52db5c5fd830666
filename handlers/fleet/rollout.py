"""Beginning a rollout, going on with it, and working through its rings. Knows the registry's rows; no step by name.

Killed anywhere, it goes on where it stopped: a vault's bookmark is in the registry before the vault is touched, each
step is one commit, and what a dead process had begun is taken up at the end of the ring. Two processes at once share
the work, for each vault is claimed before it is opened.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from db.errors import Conflict, Invalid
from db.registry.rollout_vaults import claim_vaults, retry_failed, ring_counts, rollout_vaults
from db.registry.rollouts import (
    Ring,
    Rollout,
    begin_rollout,
    end_rollout,
    enter_ring,
    get_rollout,
    halt_rollout,
    open_rollout,
    resume_rollout,
)
from db.transaction import Actor, WriteTx
from handlers.fleet.batch import Candidate, Crew, work_through
from handlers.fleet.rings import (
    CANARY,
    allowed_failures,
    counted_failures,
    parse_budget,
    parse_rings,
    ring_of,
)
from handlers.fleet.scratch import scratch_run
from handlers.fleet.target import Target, default_canaries, due_standings, in_batches, named_standing, release_target
from handlers.services import Services

# Told a ring, how many of its vaults are done, and of how many; raises KeyboardInterrupt to stop.
Report = Callable[[str, int, int], None]
DEFAULT_RINGS = "canary,10%,all"
DEFAULT_BUDGET = "1%"
# Vaults open at the same time.
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator asked for. error_budget: '' = as before, or the default. canaries: slugs or ids."""

    charter: str | None = None
    rings: str = DEFAULT_RINGS
    canaries: tuple[str, ...] = ()
    error_budget: str = ""
    new: bool = False
    retry_failed: bool = False


def begin_or_resume(services: Services, wish: Wish, actor: Actor) -> Rollout | None:
    """The rollout to work on: the open one, or a new one; None when no vault is due and none is open.

    Raises Conflict: rollout_of_other_release, rollout_halted (it goes on only when told with which budget, or to try
    failed vaults again); Invalid; NotFound (a canary).
    """
    target = release_target(services, wish.charter)
    found = services.registry_read(open_rollout, current=True)
    if found is not None and not wish.new:
        return _resumed(services, found, target, wish, actor)
    rings = _measured(services, _with_canaries(services, target, wish), target, wish.charter)
    if not any(ring.total for ring in rings):
        return None
    budget, now = parse_budget(wish.error_budget or DEFAULT_BUDGET), services.clock()

    def begin(tx: WriteTx) -> Rollout:
        # Somebody else may have begun one meanwhile: with --new it is replaced, else the two work on one.
        other = open_rollout(tx)
        if other is not None and not wish.new and other.target_hash == target.digest:
            return other
        if other is not None and wish.new:
            end_rollout(tx, other.id, "replaced", now)
        return begin_rollout(
            tx,
            charter=wish.charter,
            target=target.numbers,
            target_hash=target.digest,
            rings=rings,
            error_budget=budget,
            now=now,
        )

    return services.registry_write(begin, actor, now)


def _resumed(services: Services, found: Rollout, target: Target, wish: Wish, actor: Actor) -> Rollout:
    if (found.charter, found.target_hash) != (wish.charter, target.digest):
        raise Conflict(
            f"rollout {found.id} of {found.charter or 'every charter'} goes to other steps than this release has",
            code="rollout_of_other_release",
            hint="finish it with its release and --charter, or begin another with --new",
        )
    if found.state == "halted" and not wish.error_budget and not wish.retry_failed:
        raise Conflict(
            f"rollout {found.id} is halted: {found.halted_because}",
            code="rollout_halted",
            hint="`fleet status` says which; go on with --error-budget or --retry-failed, or back with `fleet revert`",
        )
    budget = parse_budget(wish.error_budget or found.error_budget)
    if (found.state, found.error_budget) == ("running", budget) and not wish.retry_failed:
        return found

    def resume(tx: WriteTx) -> Rollout:
        if wish.retry_failed:
            retry_failed(tx, found.id)
        return resume_rollout(tx, found.id, budget)

    return services.registry_write(resume, actor, services.clock())


def _with_canaries(services: Services, target: Target, wish: Wish) -> tuple[Ring, ...]:
    """The rings, with the vaults that are canaries: those named, or the first few by their place."""
    rings = parse_rings(wish.rings)
    if rings[0].name != CANARY:
        if wish.canaries:
            raise Invalid(f"got a canary and rings without it: {wish.rings}", field="rings")
        return rings
    if not wish.canaries:
        ids = default_canaries(services, target, wish.charter)
    else:
        ids = [named_standing(services, name).vault_id for name in wish.canaries]
    return replace(rings[0], vaults=tuple(ids)), *rings[1:]


def _measured(services: Services, rings: Sequence[Ring], target: Target, charter: str | None) -> tuple[Ring, ...]:
    """The rings with how many vaults each has to bring up."""
    totals = [0] * len(rings)
    for standing in due_standings(services, target, charter):
        ring = ring_of(standing.vault_id, rings)
        if ring is not None:
            totals[ring] += 1
    return tuple(replace(ring, total=total) for ring, total in zip(rings, totals, strict=True))


def work_on(services: Services, rollout: Rollout, actor: Actor, concurrency: int, report: Report) -> Rollout:
    """Work through the rings until the rollout is done, halted, or taken over; the rollout as it is then.

    concurrency: vaults at work at the same time. Raises what `report` raises; what is under way then is taken up by
    the next call.
    """
    target = release_target(services, rollout.charter)
    with scratch_run(services) as run, ThreadPoolExecutor(concurrency, thread_name_prefix="rollout") as threads:
        crew = Crew(services, run, threads, rollout.id, target, actor)
        for index in range(rollout.ring, len(rollout.rings)):
            crew.commit(partial(enter_ring, rollout_id=rollout.id, ring=index))
            if not _work_ring(crew, index, report):
                break
        else:
            crew.commit(partial(end_rollout, rollout_id=rollout.id, state="done", now=services.clock()))
    return services.registry_read(partial(get_rollout, rollout_id=rollout.id), current=True)


def _work_ring(crew: Crew, index: int, report: Report) -> bool:
    """Work until nothing is left in the ring; False when the rollout was stopped before."""
    for claimed in chain(_fresh(crew, index), _left_behind(crew, index)):
        allowed = _failures_left(crew, index, report)
        if allowed is None:
            return False
        work_through(crew, claimed, allowed)
    return _failures_left(crew, index, report) is not None


def _fresh(crew: Crew, index: int) -> Iterator[list[Candidate]]:
    """Batches of due vaults of the ring, or of those before it, that were nobody's and are ours now."""
    rings = crew.services.registry_read(partial(get_rollout, rollout_id=crew.rollout_id)).rings
    due = due_standings(crew.services, crew.target, None, crew.rollout_id)
    here = (known for known in due if (ring := ring_of(known.vault_id, rings)) is not None and ring <= index)
    for batch in in_batches(here, _BATCH):
        ids = [known.vault_id for known in batch]
        claim = partial(claim_vaults, rollout_id=crew.rollout_id, ring=index, vault_ids=ids, now=crew.services.clock())
        ours = set(crew.commit(claim))
        yield [Candidate(known.vault_id, known.charter, known.numbers) for known in batch if known.vault_id in ours]


def _left_behind(crew: Crew, index: int) -> Iterator[list[Candidate]]:
    """Batches of vaults that were begun and not finished: by one that was killed, or is at it still; or that failed
    and are to be tried again, in this ring or one before.
    """
    after = ""
    while True:
        begun = partial(rollout_vaults, states=("begun",), upto=index, after=after, most=_BATCH)
        page = crew.services.registry_read(partial(begun, rollout_id=crew.rollout_id), current=True)
        if not page:
            return
        after = page[-1].vault_id
        yield [Candidate(row.vault_id, row.charter, row.numbers or row.reported) for row in page]


def _failures_left(crew: Crew, index: int, report: Report) -> int | None:
    """How many more failures the budget allows; None when the rollout is not to go on, which this may decide."""
    rollout = crew.services.registry_read(partial(get_rollout, rollout_id=crew.rollout_id), current=True)
    counts = crew.services.registry_read(partial(ring_counts, rollout_id=crew.rollout_id))
    ring, states = rollout.rings[index], counts.get(index, {})
    done = sum(states.values()) - states.get("begun", 0)
    report(ring.name, done, max(done, ring.total))
    if rollout.state != "running":
        return None
    failed = counted_failures(rollout.error_budget, index, counts)
    allowed = allowed_failures(rollout.error_budget, ring)
    if failed > allowed:
        because = f"{failed} vaults failed in ring {ring.name}, {allowed} are allowed ({rollout.error_budget})"
        crew.commit(partial(halt_rollout, rollout_id=rollout.id, because=because))
        return None
    return allowed - failed
