"""Where the schema of every vault stands, as each reported it last. Opens no vault; knows no migration."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from db.registry.directory import numbers_text
from db.transaction import ReadTx, Row


@dataclass(frozen=True, slots=True)
class Standing:
    """One vault. numbers: last step of each set. schema_hash, refusal: as in the directory. slug: '' = none."""

    vault_id: str
    slug: str
    charter: str
    numbers: Mapping[str, int]
    schema_hash: str | None
    held: bool
    refusal: str | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StandingGroup:
    """The vaults that stand alike. example: the slug or id of one of them."""

    charter: str
    numbers: Mapping[str, int]
    schema_hash: str | None
    held: bool
    vaults: int
    refused: int
    example: str


_SLUG = "coalesce((SELECT slug FROM slugs WHERE vault_id = v.id ORDER BY created_at, slug LIMIT 1), '')"
_STANDINGS = f"""
SELECT v.id, {_SLUG} AS slug, v.charter, v.schema_numbers, v.schema_hash, v.schema_hold, v.refusal, v.size_bytes
  FROM vaults AS v
"""
# Suspended and deleted vaults wait: they are migrated when they are first opened again.
_PAGE = f"""
{_STANDINGS}
 WHERE v.status = 'active' AND v.id > :after AND (:charter IS NULL OR v.charter = :charter)
   AND NOT EXISTS (SELECT 1 FROM rollout_vaults WHERE rollout_id = :rollout AND vault_id = v.id)
 ORDER BY v.id LIMIT :most
"""


def active_standings(
    tx: ReadTx, *, after: str = "", most: int = 500, charter: str | None = None, rollout_id: str = ""
) -> list[Standing]:
    """A page of the active vaults by id, those after `after`.

    charter: only its vaults. rollout_id: without those this rollout has come to already.
    """
    return [_standing(row) for row in tx.rows(_PAGE, after=after, most=most, charter=charter, rollout=rollout_id)]


_NAMED = f"""
{_STANDINGS}
 WHERE v.status = 'active' AND (v.id = :name OR v.id = (SELECT vault_id FROM slugs WHERE slug = lower(:name)))
"""


def find_standing(tx: ReadTx, name: str) -> Standing | None:
    """The active vault of this slug or id, or None."""
    row = tx.row(_NAMED, name=name)
    return None if row is None else _standing(row)


_GROUPS = """
WITH found AS (
  SELECT charter, schema_numbers, schema_hash, schema_hold IS NOT NULL AS held, count(*) AS vaults,
         count(refusal) AS refused, min(id) AS first
    FROM vaults
   WHERE status = 'active' AND (:charter IS NULL OR charter = :charter)
   GROUP BY charter, schema_numbers, schema_hash, held
)
SELECT f.*, coalesce((SELECT slug FROM slugs WHERE vault_id = f.first ORDER BY created_at, slug LIMIT 1), f.first)
            AS example
  FROM found AS f ORDER BY charter, vaults DESC, schema_numbers, schema_hash, held
"""


def standing_groups(tx: ReadTx, charter: str | None = None) -> list[StandingGroup]:
    """The active vaults grouped by charter, numbers, hash and hold; of one charter the largest group first."""
    return [
        StandingGroup(
            row["charter"],
            json.loads(row["schema_numbers"]),
            row["schema_hash"],
            bool(row["held"]),
            row["vaults"],
            row["refused"],
            row["example"],
        )
        for row in tx.rows(_GROUPS, charter=charter)
    ]


_ALIKE = f"""
{_STANDINGS}
 WHERE v.status = 'active' AND v.charter = :charter AND v.schema_numbers = :numbers AND v.schema_hash IS :hash
   AND (v.schema_hold IS NOT NULL) = :held
 ORDER BY v.id LIMIT :most
"""


def standing_alike(tx: ReadTx, group: StandingGroup, most: int) -> list[Standing]:
    """The first vaults that stand as a group does, by id."""
    numbers = numbers_text(group.numbers)
    rows = tx.rows(_ALIKE, charter=group.charter, numbers=numbers, hash=group.schema_hash, held=group.held, most=most)
    return [_standing(row) for row in rows]


_REFUSING = f"""
{_STANDINGS}
 WHERE v.status = 'active' AND v.refusal IS NOT NULL AND (:charter IS NULL OR v.charter = :charter)
 ORDER BY v.id LIMIT :most
"""


def refusing_vaults(tx: ReadTx, most: int, charter: str | None = None) -> list[Standing]:
    """The first active vaults that take no writes, by id."""
    return [_standing(row) for row in tx.rows(_REFUSING, most=most, charter=charter)]


def _standing(row: Row) -> Standing:
    return Standing(
        row["id"],
        row["slug"],
        row["charter"],
        json.loads(row["schema_numbers"]),
        row["schema_hash"],
        row["schema_hold"] is not None,
        row["refusal"],
        row["size_bytes"],
    )
