"""`python -m benchmarks.fleet_worker PHASE VAULTS`: one phase of the fleet benchmark, in a process of its own.

Prints `DONE TOTAL` as it goes on. The store is the one the VAULTRY_ variables name.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

from db.registry.directory import find_slug
from db.schema.migrate import MigrationSet, Step
from db.transaction import Actor, WriteTx
from db.vault.opening import Kind
from domain.charter import Charter
from handlers.fleet.one_vault import open_as_is
from handlers.fleet.rollout import Wish, begin_or_resume, work_on
from handlers.fleet.scratch import scratch_run
from handlers.fleet.status import fleet_status
from handlers.services import Services
from handlers.settings import Settings
from handlers.tenant.bulk_provisioning import Line, provision_lines
from handlers.upkeep.drills import drill_vault

CHARTER = "choir"
DRILLS = 200
# So many vaults of a hundred have two works of one title, which the step refuses.
POISONED_OF_100 = 1
_THREADS = 4
_ACTOR = Actor("bench", "operator", "bench", "bench")
_STEP = """
CREATE TABLE bench_notes (id INTEGER PRIMARY KEY, work_id TEXT NOT NULL REFERENCES works (id), note TEXT) STRICT;
CREATE INDEX idx_bench_notes_work ON bench_notes (work_id);
INSERT INTO bench_notes (work_id, note) SELECT id, 'migrated' FROM works;
CREATE UNIQUE INDEX idx_bench_one_title ON works (title);
"""


def slug_of(number: int) -> str:
    """The name of the tenant of this number, from 0."""
    return f"choir-{number:06d}"


def is_poisoned(number: int) -> bool:
    """Whether the step fails for this tenant."""
    return number % 100 < POISONED_OF_100


def provision(services: Services, vaults: int) -> None:
    """Make the tenants, a hundred in a commit of the registry."""
    fields = (
        {"slug": slug_of(n), "charter": CHARTER, "name": f"Choir {n}", "owner": f"o{n}@x.example"}
        for n in range(vaults)
    )
    lines = (Line(number, line) for number, line in enumerate(fields, 1))
    for entered in provision_lines(services, lines, _ACTOR, _THREADS, lambda done: told(done, vaults)):
        if entered.error is not None:
            raise entered.error


def write(services: Services, vaults: int) -> None:
    """Open each vault from its log alone, write one commit, close it."""
    with scratch_run(services) as run:

        def one(number: int) -> None:
            entry = services.registry_read(lambda tx: find_slug(tx, slug_of(number)))
            if entry is None:
                raise AssertionError(f"{slug_of(number)} was not provisioned")
            titles = ["Locus iste", "Locus iste"] if is_poisoned(number) else ["Locus iste"]
            with closing(open_as_is(run.site, entry.id, services.kind(services.charter(entry)))) as vault:
                vault.write(lambda tx: _add_works(tx, entry.scope, titles, services), _ACTOR)
            run.forget_copy(entry.id)

        _each(one, range(vaults), vaults)


def _add_works(tx: WriteTx, organization: str, titles: list[str], services: Services) -> None:
    for title in titles:
        now = services.clock()
        tx.insert("works", id=now.new_id(), org_id=organization, title=title, created_at=now.text)


def roll(services: Services, vaults: int) -> None:
    """Roll the step out, or go on with it; ends by itself only when every vault was come to."""
    rollout = begin_or_resume(services, Wish(error_budget=str(vaults // 50 + 1)), _ACTOR)
    if rollout is None:
        raise AssertionError("nothing is due")
    rings: dict[str, int] = {}

    def report(ring: str, done: int, total: int) -> None:
        rings[ring] = done
        told(sum(rings.values()), vaults)

    work_on(services, rollout, _ACTOR, _THREADS, report)
    found = fleet_status(services, rollout.id)
    counts = {state: sum(ring.counts[state] for ring in found.rings) for state in ("migrated", "failed", "begun")}
    poisoned = sum(is_poisoned(number) for number in range(vaults))
    if counts != {"migrated": vaults - poisoned, "failed": poisoned, "begun": 0}:
        raise AssertionError(f"got {counts}, wanted {poisoned} failed and {vaults - poisoned} migrated")


def drill(services: Services, vaults: int) -> None:
    """Prove the backups of a sample, spread over the fleet; poisoned vaults are among them."""
    sample = [number * vaults // min(DRILLS, vaults) for number in range(min(DRILLS, vaults))]

    def one(number: int) -> None:
        report = drill_vault(services, services.entry(slug_of(number)), services.clock())
        if not report.passed:
            raise AssertionError(f"{slug_of(number)}: {report.findings}")

    _each(one, sample, len(sample))


def told(done: int, total: int) -> None:
    """Tell whoever waits how far it is."""
    sys.stdout.write(f"{done} {total}\n")
    sys.stdout.flush()


def _each(one: Callable[[int], None], numbers: Iterable[int], total: int) -> None:
    """Do it for all of them, some at a time; no more than a hundred wait."""
    waiting: Iterator[int] = iter(numbers)
    done = 0
    with ThreadPoolExecutor(_THREADS) as threads:
        while hundred := list(islice(waiting, 100)):
            list(threads.map(one, hundred))
            done += len(hundred)
            told(done, total)


def _next_release(services: Services, charter: Charter) -> Kind:
    """The kind with the step of this benchmark after those of the box."""
    known = _KIND(services, charter)
    *before, last = known.sets
    digest = hashlib.sha256(_STEP.encode()).hexdigest()
    step = Step(last.name, len(last.steps) + 1, "bench", _STEP, digest, foreign_keys=True)
    return Kind((*before, MigrationSet(last.name, (*last.steps, step))), known.redacted, known.unaudited)


_KIND = Services.kind
PHASES = {"provision": provision, "write": write, "roll": roll, "drill": drill}

if __name__ == "__main__":
    phase, size = sys.argv[1], int(sys.argv[2])
    if phase in ("roll", "drill"):
        Services.kind = _next_release  # type: ignore
    at_work = Services(Settings.from_env(os.environ))
    try:
        PHASES[phase](at_work, size)
    finally:
        at_work.close()
