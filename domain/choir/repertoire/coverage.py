"""Coverage: whether every section has something to sing from. Knows picks and primary sections; warns, never blocks."""

import json
from typing import Any, LiteralString

from db.clock import Moment
from db.principal import Principal
from db.transaction import ReadTx
from domain.charter import Args, Verb
from domain.choir.repertoire.plan import PLAN_PARAMS, PlanKind, plan_seen


def _coverage(kind: PlanKind) -> LiteralString:
    """SQL for the works of one plan, each with the sections whose singers have nothing to sing from.

    A part for a parent section does not serve its children, nor the reverse. Recordings serve nobody.
    INDEXED BY: from this organization's sections on, or the grouping makes the planner read those of the vault.
    """
    return f"""
    WITH sung AS MATERIALIZED (
        SELECT s.id, s.name, s.abbreviation, s.display_order, count(*) AS singers
          FROM sections AS s INDEXED BY idx_sections_org_id
          JOIN member_sections AS p ON p.section_id = s.id AND p.is_primary = 1
         WHERE s.org_id = :org_id AND s.is_active = 1
         GROUP BY s.id
    )
    SELECT i.id AS item_id, i.work_id, w.title,
           EXISTS (SELECT 1 FROM {kind.picks} AS p WHERE p.{kind.item_column} = i.id) AS picked,
           (SELECT json_group_array(json_object(
                       'section_id', id, 'name', name, 'abbreviation', abbreviation, 'singers', singers))
              FROM (SELECT sung.* FROM sung
                     WHERE NOT EXISTS (
                            SELECT 1 FROM {kind.picks} AS p JOIN editions AS e ON e.id = p.edition_id
                             WHERE p.{kind.item_column} = i.id AND e.deleted_at IS NULL
                               AND e.edition_type IN ('full_score', 'vocal_score', 'part', 'reduction')
                               AND (EXISTS (SELECT 1 FROM edition_sections AS l
                                             WHERE l.edition_id = e.id AND l.section_id = sung.id)
                                    OR NOT EXISTS (SELECT 1 FROM edition_sections AS l WHERE l.edition_id = e.id)))
                     ORDER BY sung.display_order, casefold(sung.name))) AS uncovered
      FROM {kind.items} AS i JOIN works AS w ON w.id = i.work_id
     WHERE i.{kind.plan_column} = :plan_id
     ORDER BY i.display_order, casefold(w.title), i.id
    """


def coverage(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """For each work its `status` (covered, uncovered, no_editions) and the `uncovered` sections with their singers.

    Raises Invalid, NotFound.
    """
    kind, plan = plan_seen(tx, principal.scope, args)
    rows = tx.rows(_coverage(kind), org_id=plan["org_id"], plan_id=plan["id"])
    return [_judged(dict(row)) for row in rows]


def _judged(work: dict[str, Any]) -> dict[str, Any]:
    """The work with its status; without any pick nothing is counted section by section."""
    picked, uncovered = work.pop("picked"), json.loads(work["uncovered"])
    if not picked:
        return {**work, "status": "no_editions", "uncovered": []}
    return {**work, "status": "uncovered" if uncovered else "covered", "uncovered": uncovered}


VERBS = (
    Verb(
        "repertoire.coverage",
        coverage,
        False,
        "Which sections have nothing to sing from, work by work.",
        ("member",),
        PLAN_PARAMS,
    ),
)
