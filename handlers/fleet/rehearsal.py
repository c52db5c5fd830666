"""Rehearsing a migration: on forks that nobody sees and that are gone afterwards. Knows no rollout.

The forks are listed in the registry before they are made. Killed anywhere, the next run on this machine, or after an
hour any maintenance, finds the list and removes what is left of them.
"""

import heapq
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from db.history.points import fork
from db.registry.standings import Standing
from db.transaction import Actor
from db.vault.opening import Kind
from db.vault.vault import Vault
from domain.charters import CHARTERS
from handlers.fleet.one_vault import FAILURES, Failure, bring_to, failure_of, look, open_as_is
from handlers.fleet.rings import CANARY, WHOLE, WHOLE_FLEET, parse_rings, position, ring_of
from handlers.fleet.scratch import Run, drop_scratch, list_before_making, scratch_run
from handlers.fleet.target import Target, default_canaries, due_standings, in_batches, named_standing, release_target
from handlers.services import Services

Report = Callable[[str, int, int], None]
_BATCH = 16
_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One vault. seconds: for the steps alone."""

    name: str
    seconds: float
    steps: tuple[str, ...]
    failure: Failure | None


@dataclass(slots=True)
class FailureGroup:
    """The vaults that failed alike. examples: the first ten."""

    failure: Failure
    vaults: int = 0
    examples: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Rehearsal:
    """What came of it. seconds: of each vault, for the steps alone. slowest: its name and seconds."""

    vaults: int = 0
    failures: dict[Failure, FailureGroup] = field(default_factory=dict[Failure, FailureGroup])
    seconds: list[float] = field(default_factory=list[float])
    slowest: tuple[str, float] = ("", 0.0)

    @property
    def failed(self) -> int:
        """How many vaults failed."""
        return sum(group.vaults for group in self.failures.values())

    def add(self, one: Rehearsed) -> None:
        """Count one vault."""
        self.vaults += 1
        self.seconds.append(one.seconds)
        self.slowest = max(self.slowest, (one.name, one.seconds), key=lambda pair: pair[1])
        if one.failure is not None:
            group = self.failures.setdefault(one.failure, FailureGroup(one.failure))
            group.vaults += 1
            if len(group.examples) < _EXAMPLES:
                group.examples.append(one.name)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the due vaults are rehearsed. names: their slugs or ids, () = not by name. sample: so many; None = all.

    ring: `canary` or a share such as `10%`, '' = of the whole fleet.
    """

    charter: str | None = None
    names: tuple[str, ...] = ()
    sample: int | None = None
    ring: str = ""


def rehearse(services: Services, choice: Choice, actor: Actor, concurrency: int, report: Report) -> Rehearsal:
    """Migrate forks of the chosen vaults, check them, drop them. Raises what `report` raises, the forks dropped."""
    target = release_target(services, choice.charter)
    total, chosen = _chosen(services, target, choice)
    rehearsal = Rehearsal()
    with scratch_run(services) as run, ThreadPoolExecutor(concurrency, thread_name_prefix="rehearsal") as threads:
        for batch in in_batches(chosen, _BATCH):
            for one in _rehearse_batch(services, run, threads, target, batch, actor):
                rehearsal.add(one)
            report("vaults", rehearsal.vaults, max(total, rehearsal.vaults))
    return rehearsal


def _chosen(services: Services, target: Target, choice: Choice) -> tuple[int, Iterator[Standing]]:
    """How many vaults, and which. Raises NotFound for a name, Invalid for a ring."""
    if choice.names:
        named = [named_standing(services, name) for name in choice.names]
        return len(named), iter(named)

    def due() -> Iterator[Standing]:
        return due_standings(services, target, choice.charter)

    total = sum(1 for _ in due())
    if choice.ring == CANARY:
        ids = default_canaries(services, target, choice.charter)
        return len(ids), (known for known in due() if known.vault_id in ids)
    rings = parse_rings(choice.ring) if choice.ring else (WHOLE_FLEET,)
    inside = (known for known in due() if ring_of(known.vault_id, rings) is not None)
    if choice.sample is None:
        return total * rings[0].share // WHOLE, inside
    sample = heapq.nsmallest(choice.sample, inside, key=lambda known: position(f"rehearsal {known.vault_id}"))
    return len(sample), iter(sample)


def _rehearse_batch(
    services: Services, run: Run, threads: ThreadPoolExecutor, target: Target, batch: Sequence[Standing], actor: Actor
) -> list[Rehearsed]:
    now = services.clock()
    fork_ids = [f"rehearsal-{now.new_id()}" for _ in batch]
    list_before_making(services, run, "rehearsal", fork_ids, actor)
    try:
        return list(threads.map(partial(_rehearse_one, services, run, target), batch, fork_ids))
    finally:
        drop_scratch(services, fork_ids, actor)


def _rehearse_one(services: Services, run: Run, target: Target, known: Standing, fork_id: str) -> Rehearsed:
    name, seconds = known.slug or known.vault_id, 0.0
    steps: tuple[str, ...] = ()
    try:
        with closing(_fork(services, run, known, fork_id)) as forked:
            found = look(forked)
            started = time.perf_counter()
            brought = bring_to(forked, target.sets[known.charter], found, services.clock())
            seconds, steps = time.perf_counter() - started, brought.applied
            failure = brought.failure or forked.read_raw(lambda connection, _: _checked(connection)).value
    except FAILURES as exc:
        failure = failure_of(exc)
    finally:
        run.forget_copy(fork_id)
    return Rehearsed(name, seconds, steps, failure)


def _fork(services: Services, run: Run, known: Standing, fork_id: str) -> Vault:
    """A fork of the vault as it is, open, no step applied."""
    kind = services.kind(CHARTERS[known.charter])
    try:
        with closing(open_as_is(run.site, known.vault_id, kind)) as vault:
            return fork(vault, run.site, Kind((), kind.redacted, kind.unaudited, kind.forgettable), fork_id)[0]
    finally:
        run.forget_copy(known.vault_id)


def _checked(connection: sqlite3.Connection) -> Failure | None:
    """What SQLite's own checks find: tables and counts, never values."""
    broken = Counter(f"{row[0]} to {row[2]}" for row in connection.execute("PRAGMA foreign_key_check"))
    if broken:
        found = ", ".join(f"{count} from {tables}" for tables, count in sorted(broken.items()))
        return Failure("", "references_broken", f"references that lead nowhere: {found}")
    lines = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    return None if lines == ["ok"] else Failure("", "file_damaged", "; ".join(lines))
