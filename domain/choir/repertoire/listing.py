"""Reading a repertoire: works in order with the editions picked, and what could be added. Changes nothing."""

import json
from typing import Any, LiteralString

from db.clock import Moment
from db.fields import Text
from db.principal import Principal
from db.transaction import ReadTx
from domain.charter import Args, Verb
from domain.choir.event.events import event_seen
from domain.choir.repertoire.plan import PLAN_PARAMS, PlanKind, plan_seen
from domain.choir.season.seasons import season_of


def _listing(kind: PlanKind) -> LiteralString:
    """SQL for the works of one plan by position, each with its picks as JSON: primary first, then by name."""
    return f"""
    SELECT i.id, i.work_id, w.title, w.composer, i.display_order, i.notes, i.added_at, i.added_by,
           (SELECT json_group_array(json_object(
                       'id', id, 'edition_id', edition_id, 'name', name, 'edition_type', edition_type,
                       'is_primary', json(iif(is_primary, 'true', 'false')),
                       'unavailable', json(iif(deleted_at IS NULL, 'false', 'true')), 'notes', notes))
              FROM (SELECT p.id, p.edition_id, e.name, e.edition_type, p.is_primary, e.deleted_at, p.notes
                      FROM {kind.picks} AS p JOIN editions AS e ON e.id = p.edition_id
                     WHERE p.{kind.item_column} = i.id
                     ORDER BY p.is_primary DESC, casefold(e.name), e.id)) AS editions
      FROM {kind.items} AS i JOIN works AS w ON w.id = i.work_id
     WHERE i.{kind.plan_column} = :plan_id
     ORDER BY i.display_order, casefold(w.title), i.id
    """


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The works of a season or event by position; a pick that was taken down stays and is `unavailable`.

    Raises Invalid, NotFound.
    """
    kind, plan = plan_seen(tx, principal.scope, args)
    rows = tx.rows(_listing(kind), plan_id=plan["id"])
    return [dict(row) | {"editions": json.loads(row["editions"])} for row in rows]


_SUGGESTIONS = """
SELECT w.id AS work_id, w.title, w.composer, s.id IS NOT NULL AS in_season
  FROM works AS w LEFT JOIN season_works AS s ON s.work_id = w.id AND s.season_id = :season_id
 WHERE w.org_id = :org_id AND w.id NOT IN (SELECT work_id FROM event_works WHERE event_id = :event_id)
 ORDER BY s.id IS NULL, s.display_order, casefold(w.title), w.id
"""


def suggestions(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """What an event's programme lacks: works of its season in season order, then all others by title.

    Raises NotFound.
    """
    event = event_seen(tx, principal.scope, args["event_id"])
    season = season_of(tx, event["org_id"], event["starts_at"][:10])
    rows = tx.rows(
        _SUGGESTIONS, season_id=season["id"] if season else None, org_id=event["org_id"], event_id=event["id"]
    )
    return [dict(row) | {"in_season": bool(row["in_season"])} for row in rows]


VERBS = (
    Verb("repertoire.get", get, False, "The works of a season or event with their editions.", ("member",), PLAN_PARAMS),
    Verb(
        "repertoire.suggestions",
        suggestions,
        False,
        "Works that an event's programme could take, those of its season first.",
        ("member",),
        {"event_id": Text(required=True)},
    ),
)
