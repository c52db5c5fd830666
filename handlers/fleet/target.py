"""What this release wants the schema of each charter's vaults to be, and how a vault stands to it. Opens no vault."""

import hashlib
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

from db.errors import Invalid, NotFound
from db.registry.standings import Standing, active_standings, find_standing
from db.schema.migrate import MigrationSet
from domain.charters import CHARTERS
from handlers.fleet.rings import canary_count, position
from handlers.services import Services
from handlers.tenant.provisioning import schema_numbers

Stand = Literal["current", "due", "ahead"]
_PAGE = 500
_BATCH_BYTES = 512 << 20


@dataclass(frozen=True)
class Target:
    """sets: of each charter concerned, as this process loads them."""

    sets: Mapping[str, tuple[MigrationSet, ...]]

    @cached_property
    def numbers(self) -> Mapping[str, Mapping[str, int]]:
        """The last step of each set, by charter."""
        return {charter: schema_numbers(sets) for charter, sets in self.sets.items()}

    @cached_property
    def digest(self) -> str:
        """64 hex digits over the content of all steps: another release with the same numbers has another."""
        digest = hashlib.sha256()
        for charter, sets in sorted(self.sets.items()):
            for step in (step for known in sets for step in known.steps):
                digest.update(f"{charter}\0{step}\0{step.sha256}\n".encode())
        return digest.hexdigest()

    def stand(self, charter: str, numbers: Mapping[str, int]) -> Stand | None:
        """Whether a vault with these numbers lacks steps, has some that this release does not know, or neither.

        None for a charter that is not concerned.
        """
        wanted = self.numbers.get(charter)
        if wanted is None:
            return None
        if any(number > wanted.get(name, 0) for name, number in numbers.items()):
            return "ahead"
        return "due" if any(numbers.get(name, 0) < number for name, number in wanted.items()) else "current"


def release_target(services: Services, charter: str | None = None) -> Target:
    """The target of this release: for one charter, or for every one. Raises Invalid for a charter that is not there."""
    if charter is not None and charter not in CHARTERS:
        raise Invalid(f"got charter {charter!r}, wanted one of: {', '.join(CHARTERS)}", field="charter")
    names = CHARTERS if charter is None else (charter,)
    return Target({name: services.kind(CHARTERS[name]).sets for name in names})


def due_standings(services: Services, target: Target, charter: str | None, rollout_id: str = "") -> Iterator[Standing]:
    """The active vaults that lack steps, by id, a page in memory at a time; without those the rollout has come to."""
    after = ""
    while True:
        page = services.registry_read(
            partial(active_standings, after=after, most=_PAGE, charter=charter, rollout_id=rollout_id)
        )
        yield from (known for known in page if target.stand(known.charter, known.numbers) == "due")
        if len(page) < _PAGE:
            return
        after = page[-1].vault_id


def in_batches(standings: Iterator[Standing], most: int) -> Iterator[list[Standing]]:
    """Batches of at most so many vaults, whose local copies find room together."""
    batch: list[Standing] = []
    size = 0
    for standing in standings:
        if batch and (len(batch) == most or size + standing.size_bytes > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(standing)
        size += standing.size_bytes
    if batch:
        yield batch


def default_canaries(services: Services, target: Target, charter: str | None) -> list[str]:
    """Ids of the vaults that go first when nobody named any: the same ones in every rollout, as far as they are due."""
    due = sum(1 for _ in due_standings(services, target, charter))
    ids = (known.vault_id for known in due_standings(services, target, charter))
    return heapq.nsmallest(canary_count(due), ids, key=position)


def named_standing(services: Services, name: str) -> Standing:
    """The active vault of this slug or id. Raises NotFound."""
    found = services.registry_read(lambda tx: find_standing(tx, name))
    if found is None:
        raise NotFound(f"no active tenant {name!r}; `vaultry tenants list --status active` shows them all")
    return found
