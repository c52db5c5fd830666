"""Rollouts: a migration of the fleet, ring by ring, and how far each has come. Opens no vault; applies no step."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from db.clock import Moment
from db.errors import Conflict, NotFound
from db.transaction import ReadTx, Row, WriteTx

State = Literal["running", "halted", "done", "replaced"]


@dataclass(frozen=True, slots=True)
class Ring:
    """A part of the fleet; a vault belongs to the first ring that takes it.

    share: so many of 10,000 vaults, chosen by their ids. vaults: ids it takes besides. total: how many it had to bring
    up when the rollout began.
    """

    name: str
    share: int
    vaults: tuple[str, ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True)
class Rollout:
    """target: last step of each set, by charter. target_hash: of those steps' content. ring: index, of the one at work.

    charter: the only one it is for, or None. error_budget: `5` failures of the rollout or `1%` of a ring.
    """

    id: str
    state: State
    charter: str | None
    target: Mapping[str, Mapping[str, int]]
    target_hash: str
    rings: tuple[Ring, ...]
    ring: int
    error_budget: str
    halted_because: str | None
    created_at: str
    ended_at: str | None


def begin_rollout(
    tx: WriteTx,
    *,
    charter: str | None,
    target: Mapping[str, Mapping[str, int]],
    target_hash: str,
    rings: Sequence[Ring],
    error_budget: str,
    now: Moment,
) -> Rollout:
    """A new rollout, running. Raises Conflict (rollout_open) while another is not done."""
    found = open_rollout(tx)
    if found is not None:
        raise Conflict(f"rollout {found.id} is {found.state}", code="rollout_open")
    rollout_id = now.new_id()
    tx.insert(
        "rollouts",
        id=rollout_id,
        charter=charter,
        target=json.dumps(target),
        target_hash=target_hash,
        rings=json.dumps([asdict(ring) for ring in rings]),
        error_budget=error_budget,
        created_at=now.text,
    )
    return get_rollout(tx, rollout_id)


def open_rollout(tx: ReadTx) -> Rollout | None:
    """The rollout that is running or halted, or None: there is one at a time."""
    row = tx.row("SELECT * FROM rollouts WHERE state IN ('running', 'halted')")
    return None if row is None else _rollout(row)


def last_rollout(tx: ReadTx) -> Rollout | None:
    """The rollout begun last, or None."""
    row = tx.row("SELECT * FROM rollouts ORDER BY created_at DESC, id DESC LIMIT 1")
    return None if row is None else _rollout(row)


def get_rollout(tx: ReadTx, rollout_id: str) -> Rollout:
    """The rollout of that id. Raises NotFound."""
    row = tx.row("SELECT * FROM rollouts WHERE id = :id", id=rollout_id)
    if row is None:
        raise NotFound(f"no rollout {rollout_id}")
    return _rollout(row)


def enter_ring(tx: WriteTx, rollout_id: str, ring: int) -> None:
    """Note that the rollout has come to a ring; it never goes back to one before."""
    tx.execute("UPDATE rollouts SET ring = :ring WHERE id = :id AND ring < :ring", id=rollout_id, ring=ring)


def halt_rollout(tx: WriteTx, rollout_id: str, because: str) -> None:
    """Stop a running rollout; whoever works on it finds out before the next vaults."""
    halt = "UPDATE rollouts SET state = 'halted', halted_because = :because WHERE id = :id AND state = 'running'"
    tx.execute(halt, id=rollout_id, because=because)


def resume_rollout(tx: WriteTx, rollout_id: str, error_budget: str) -> Rollout:
    """The rollout, running, with this budget from now on. Raises Conflict (rollout_over) when it has ended."""
    resume = """
    UPDATE rollouts SET state = 'running', halted_because = NULL, error_budget = :budget
     WHERE id = :id AND state IN ('running', 'halted')
    """
    if tx.execute(resume, id=rollout_id, budget=error_budget) == 0:
        raise Conflict(f"rollout {rollout_id} is over", code="rollout_over")
    return get_rollout(tx, rollout_id)


def end_rollout(tx: WriteTx, rollout_id: str, state: Literal["done", "replaced"], now: Moment) -> None:
    """It is done, or another one takes its place; twice is once."""
    end = """
    UPDATE rollouts SET state = :state, ended_at = :now, halted_because = NULL
     WHERE id = :id AND state IN ('running', 'halted')
    """
    tx.execute(end, id=rollout_id, state=state, now=now.text)


def _rollout(row: Row) -> Rollout:
    rings = (
        Ring(ring["name"], ring["share"], tuple(ring["vaults"]), ring["total"]) for ring in json.loads(row["rings"])
    )
    return Rollout(
        row["id"],
        row["state"],
        row["charter"],
        json.loads(row["target"]),
        row["target_hash"],
        tuple(rings),
        row["ring"],
        row["error_budget"],
        row["halted_because"],
        row["created_at"],
        row["ended_at"],
    )
