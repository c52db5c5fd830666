"""How a rollout stands, and which vaults take no writes and why. Reads the registry alone; opens no vault."""

from dataclasses import dataclass
from functools import partial

from db.errors import NotFound
from db.registry.rollout_vaults import RolloutVault, ring_counts, rollout_vaults
from db.registry.rollouts import Rollout, get_rollout, last_rollout
from db.registry.standings import Standing, refusing_vaults
from db.transaction import ReadTx
from handlers.services import Services

STATES = ("migrated", "current", "failed", "reverted", "begun")
_NAMED = 1000


@dataclass(frozen=True, slots=True)
class RingStatus:
    """total: vaults it had to bring up when the rollout began. counts: of those it came to, by state."""

    name: str
    total: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """rollout: None = there was none. failed: of it, refusing: of all active vaults, the first thousand."""

    rollout: Rollout | None
    rings: list[RingStatus]
    failed: list[RolloutVault]
    refusing: list[Standing]

    @property
    def failures(self) -> int:
        """How many vaults of the rollout failed."""
        return sum(ring.counts["failed"] for ring in self.rings)


def fleet_status(services: Services, rollout_id: str | None = None) -> FleetStatus:
    """The status of that rollout, or of the last one. Raises NotFound for one that is not there."""
    return services.registry_read(partial(_status, rollout_id=rollout_id), current=True)


def _status(tx: ReadTx, rollout_id: str | None) -> FleetStatus:
    rollout = get_rollout(tx, rollout_id) if rollout_id is not None else last_rollout(tx)
    refusing = refusing_vaults(tx, _NAMED)
    if rollout is None:
        return FleetStatus(None, [], [], refusing)
    counts = ring_counts(tx, rollout.id)
    rings = [
        RingStatus(ring.name, ring.total, {state: counts.get(index, {}).get(state, 0) for state in STATES})
        for index, ring in enumerate(rollout.rings)
    ]
    return FleetStatus(rollout, rings, rollout_vaults(tx, rollout.id, ("failed",), most=_NAMED), refusing)


def rollout_or_last(tx: ReadTx, rollout_id: str | None) -> Rollout:
    """That rollout, or the last one. Raises NotFound."""
    found = last_rollout(tx) if rollout_id is None else get_rollout(tx, rollout_id)
    if found is None:
        raise NotFound("there was no rollout yet; `vaultry fleet roll` begins one")
    return found
