"""What a rollout has done to each vault it has come to. Opens no vault; applies no step.

A row is made before the vault is looked at: whoever makes it has the vault to himself, as long as he lives. Rows of a
process that was killed stay `begun`, and the next one takes them up; should it live after all, the engine still
applies each step once, and the outcome noted first stands.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from db.clock import Moment
from db.registry.directory import numbers_text
from db.transaction import ReadTx, Row, WriteTx

State = Literal["begun", "migrated", "current", "failed", "reverted"]
Ending = Literal["migrated", "current", "failed"]


@dataclass(frozen=True, slots=True)
class RolloutVault:
    """bookmark: right before the first step, None = not looked at. numbers: last step of each set there. reported: as
    the directory knows them by now.

    step, error_code, error: of the failure. slug: '' = none.
    """

    rollout_id: str
    vault_id: str
    slug: str
    charter: str
    ring: int
    state: State
    bookmark: str | None
    numbers: Mapping[str, int] | None
    reported: Mapping[str, int]
    step: str | None
    error_code: str | None
    error: str | None
    begun_at: str
    ended_at: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a vault.

    bookmark: right before the first step beyond `numbers`; one that was noted for other numbers stays.
    """

    vault_id: str
    state: Ending
    bookmark: str | None = None
    numbers: Mapping[str, int] | None = None
    step: str | None = None
    error_code: str | None = None
    error: str | None = None


def claim_vaults(tx: WriteTx, rollout_id: str, ring: int, vault_ids: Sequence[str], now: Moment) -> list[str]:
    """Those of the vaults that nobody had claimed for this rollout: they are the caller's now."""
    claim = """
    INSERT INTO rollout_vaults (rollout_id, vault_id, ring, begun_at)
    SELECT :rollout, id, :ring, :now FROM vaults WHERE id = :id
    ON CONFLICT (rollout_id, vault_id) DO NOTHING
    """
    return [
        vault_id
        for vault_id in vault_ids
        if tx.execute(claim, rollout=rollout_id, id=vault_id, ring=ring, now=now.text) == 1
    ]


def note_bookmark(tx: WriteTx, rollout_id: str, vault_id: str, bookmark: str, numbers: Mapping[str, int]) -> None:
    """Keep the way back, before the vault is touched; one that was noted earlier stays."""
    keep = """
    UPDATE rollout_vaults SET bookmark = :bookmark, numbers = :numbers
     WHERE rollout_id = :rollout AND vault_id = :id AND state = 'begun' AND bookmark IS NULL
    """
    tx.execute(keep, rollout=rollout_id, id=vault_id, bookmark=bookmark, numbers=numbers_text(numbers))


def note_outcome(tx: WriteTx, rollout_id: str, outcome: Outcome, now: Moment) -> None:
    """Keep what became of a vault; an outcome that was noted before stands."""
    keep = """
    UPDATE rollout_vaults
       SET state = :state, step = :step, error_code = :code, error = :error, ended_at = :now,
           bookmark = CASE WHEN numbers = :numbers THEN coalesce(:bookmark, bookmark) ELSE bookmark END
     WHERE rollout_id = :rollout AND vault_id = :id AND state = 'begun'
    """
    tx.execute(
        keep,
        rollout=rollout_id,
        id=outcome.vault_id,
        state=outcome.state,
        bookmark=outcome.bookmark,
        numbers=None if outcome.numbers is None else numbers_text(outcome.numbers),
        step=outcome.step,
        code=outcome.error_code,
        error=outcome.error,
        now=now.text,
    )


def note_reverted(tx: WriteTx, rollout_id: str, vault_id: str, now: Moment) -> None:
    """The vault is back at its bookmark; this rollout leaves it alone from now on."""
    keep = """
    UPDATE rollout_vaults SET state = 'reverted', step = NULL, error_code = NULL, error = NULL, ended_at = :now
     WHERE rollout_id = :rollout AND vault_id = :id AND bookmark IS NOT NULL
    """
    tx.execute(keep, rollout=rollout_id, id=vault_id, now=now.text)


def retry_failed(tx: WriteTx, rollout_id: str) -> int:
    """Let the rollout come to its failed vaults once more; how many."""
    retry = """
    UPDATE rollout_vaults SET state = 'begun', step = NULL, error_code = NULL, error = NULL, ended_at = NULL
     WHERE rollout_id = :rollout AND state = 'failed'
    """
    return tx.execute(retry, rollout=rollout_id)


def ring_counts(tx: ReadTx, rollout_id: str) -> dict[int, dict[str, int]]:
    """How many vaults of each ring are in each state."""
    count = "SELECT ring, state, count(*) AS n FROM rollout_vaults WHERE rollout_id = :id GROUP BY ring, state"
    counts: dict[int, dict[str, int]] = {}
    for row in tx.rows(count, id=rollout_id):
        counts.setdefault(row["ring"], {})[row["state"]] = row["n"]
    return counts


_ROWS = """
SELECT r.*, v.charter, v.schema_numbers,
       coalesce((SELECT slug FROM slugs WHERE vault_id = r.vault_id ORDER BY created_at, slug LIMIT 1), '') AS slug
  FROM rollout_vaults AS r JOIN vaults AS v ON v.id = r.vault_id
"""
_PAGE = f"""
{_ROWS}
 WHERE r.rollout_id = :rollout AND r.vault_id > :after
   AND (:ring IS NULL OR r.ring = :ring) AND (:upto IS NULL OR r.ring <= :upto)
   AND r.state IN (SELECT value FROM json_each(:states))
 ORDER BY r.vault_id LIMIT :most
"""


def rollout_vaults(
    tx: ReadTx,
    rollout_id: str,
    states: Sequence[State],
    *,
    ring: int | None = None,
    upto: int | None = None,
    after: str = "",
    most: int = 500,
) -> list[RolloutVault]:
    """A page of the vaults of a rollout in these states, by id, those after `after`.

    ring: only its vaults. upto: those of this ring and of the ones before it.
    """
    wanted = json.dumps(list(states))
    rows = tx.rows(_PAGE, rollout=rollout_id, states=wanted, ring=ring, upto=upto, after=after, most=most)
    return [_vault(row) for row in rows]


def newest_rollout_vault(tx: ReadTx, vault_id: str) -> RolloutVault | None:
    """What the latest rollout that touched this vault did to it, or None."""
    rows = tx.rows(f"{_ROWS} WHERE r.vault_id = :id ORDER BY r.begun_at DESC, r.rollout_id DESC LIMIT 1", id=vault_id)
    return _vault(rows[0]) if rows else None


def _vault(row: Row) -> RolloutVault:
    return RolloutVault(
        row["rollout_id"],
        row["vault_id"],
        row["slug"],
        row["charter"],
        row["ring"],
        row["state"],
        row["bookmark"],
        None if row["numbers"] is None else json.loads(row["numbers"]),
        json.loads(row["schema_numbers"]),
        row["step"],
        row["error_code"],
        row["error"],
        row["begun_at"],
        row["ended_at"],
    )
