"""Rings and error budgets: what an operator writes, which vault belongs where, when to stop. Decides; does nothing."""

import hashlib
import re
from collections.abc import Mapping, Sequence

from db.errors import Invalid
from db.registry.rollouts import Ring

WHOLE = 10_000
CANARY, ALL = "canary", "all"
WHOLE_FLEET = Ring(ALL, WHOLE)
# Without names, so many of the fleet are canaries: one in a hundred, at least one and at most ten.
_MOST_CANARIES = 10
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)%")
_COUNT = re.compile(r"\d{1,7}")


def parse_rings(text: str) -> tuple[Ring, ...]:
    """`canary,10%,all` as rings, each larger than the one before; who is a canary is not known yet.

    Raises Invalid for another form, a share that does not grow, or `canary` anywhere but first.
    """
    rings: list[Ring] = []
    for position, name in enumerate(part.strip().lower() for part in text.split(",")):
        share = _share(name)
        if name == CANARY and position > 0:
            raise Invalid("rings: canary comes first or not at all", field="rings")
        if rings and share <= rings[-1].share:
            raise Invalid(f"rings: got {name} after {rings[-1].name}; each must be larger", field="rings")
        rings.append(Ring(name, share))
    return tuple(rings)


def _share(name: str) -> int:
    if name in (CANARY, ALL):
        return 0 if name == CANARY else WHOLE
    match = _SHARE.fullmatch(name)
    share = round(float(match[1]) * 100) if match else 0
    if not 0 < share <= WHOLE:
        raise Invalid(f"rings: got {name!r}, wanted canary, all or a share such as 10%", field="rings")
    return share


def position(vault_id: str) -> int:
    """The place of a vault among 10,000, the same in every rollout and for every process."""
    return int.from_bytes(hashlib.sha256(vault_id.encode()).digest()[:8], "big") % WHOLE


def ring_of(vault_id: str, rings: Sequence[Ring]) -> int | None:
    """Index of the first ring that takes the vault, or None."""
    place = position(vault_id)
    taking = (index for index, ring in enumerate(rings) if place < ring.share or vault_id in ring.vaults)
    return next(taking, None)


def canary_count(due: int) -> int:
    """How many canaries to choose among the due vaults when nobody named any."""
    return min(_MOST_CANARIES, -(-due // 100))


def parse_budget(text: str) -> str:
    """The error budget as it is kept: `5` or `1%`. Raises Invalid."""
    budget = text.strip()
    share = _SHARE.fullmatch(budget)
    if _COUNT.fullmatch(budget) or (share and float(share[1]) <= 100):
        return budget
    raise Invalid(f"error budget: got {text!r}, wanted a number of vaults or a share such as 1%", field="error_budget")


def allowed_failures(budget: str, ring: Ring) -> int:
    """How many failures pass: a number holds for the whole rollout, a share for one ring's vaults, rounded down."""
    share = _SHARE.fullmatch(budget)
    return int(float(share[1]) * ring.total / 100) if share else int(budget)


def counted_failures(budget: str, ring: int, counts: Mapping[int, Mapping[str, int]]) -> int:
    """The failures that count against the budget. counts: of vaults, by ring and state."""
    within = [ring] if budget.endswith("%") else list(counts)
    return sum(counts.get(index, {}).get("failed", 0) for index in within)
