"""Which vaults stand where, and whose schema is not what their steps make. Reads the registry alone; opens no vault."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from db.registry.standings import StandingGroup, standing_alike, standing_groups
from db.schema.state import expected_digest
from domain.charters import CHARTERS
from handlers.fleet.target import Stand, release_target
from handlers.services import Services

_NAMED = 20


@dataclass(frozen=True, slots=True)
class PlanLine:
    """Vaults that stand alike. steps: that they lack. stand: against this release.

    drift: whether the schema is another than these steps make; None when nobody knows (no hash was reported, the vaults
    are ahead of this release, or their owners bring their own tables). examples: slugs or ids, of a group that drifts
    or is held all up to twenty.
    """

    charter: str
    numbers: Mapping[str, int]
    schema_hash: str | None
    vaults: int
    stand: Stand
    steps: tuple[str, ...]
    drift: bool | None
    held: bool
    refused: int
    examples: tuple[str, ...]


def fleet_plan(services: Services, charter: str | None = None) -> list[PlanLine]:
    """The active vaults by charter, numbers and schema. Raises Invalid for a charter that is not there."""
    target = release_target(services, charter)
    lines: list[PlanLine] = []
    for group in services.registry_read(partial(standing_groups, charter=charter), current=True):
        sets = target.sets[group.charter]
        stand = target.stand(group.charter, group.numbers) or "ahead"
        expected = expected_digest(sets, tuple(sorted(group.numbers.items())))
        # A schema that its owner brings has no such thing.
        declared = CHARTERS[group.charter].own_schema is None
        known = declared and expected is not None and group.schema_hash is not None
        drift = group.schema_hash != expected if known else None
        lacked = (step for found in sets for step in found.steps[group.numbers.get(found.name, 0) :])
        steps = tuple(map(str, lacked)) if stand == "due" else ()
        lines.append(
            PlanLine(
                group.charter,
                group.numbers,
                group.schema_hash,
                group.vaults,
                stand,
                steps,
                drift,
                group.held,
                group.refused,
                _examples(services, group) if drift or group.held else (group.example,),
            )
        )
    return lines


def _examples(services: Services, group: StandingGroup) -> tuple[str, ...]:
    found = services.registry_read(partial(standing_alike, group=group, most=_NAMED))
    return tuple(known.slug or known.vault_id for known in found)
