"""What is planned for: a season or an event. Both follow the same rules; knows where each keeps its works and picks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, LiteralString

from db.errors import Invalid, NotFound
from db.fields import Field, Text
from db.transaction import ReadTx, Row
from domain.charter import Args
from domain.choir.event.events import event_here, event_seen
from domain.choir.season.seasons import season_here


@dataclass(frozen=True, slots=True)
class PlanKind:
    """Seasons or events: the names of their tables and columns.

    noun: of one plan. items: its works in order. plan_column: in `items`. picks: the editions picked for an item.
    item_column: in `picks`. here: the plan for whoever changes it, seen: for whoever reads it; both raise NotFound.
    """

    noun: LiteralString
    items: LiteralString
    plan_column: LiteralString
    picks: LiteralString
    item_column: LiteralString
    here: Callable[[ReadTx, str, str], Row]
    seen: Callable[[ReadTx, str, str], Row]


SEASON = PlanKind(
    "season", "season_works", "season_id", "season_work_editions", "season_work_id", season_here, season_here
)
EVENT = PlanKind("event", "event_works", "event_id", "event_work_editions", "event_work_id", event_here, event_seen)

PLAN_PARAMS: dict[str, Field] = {"season_id": Text(), "event_id": Text()}


def asked_kind(args: Args) -> tuple[PlanKind, str]:
    """Whether a season or an event is meant, and its id. Raises Invalid unless exactly one is given."""
    given = [(kind, args[kind.plan_column]) for kind in (SEASON, EVENT) if args.get(kind.plan_column) is not None]
    if len(given) != 1:
        raise Invalid(f"got {len(given)} of season_id and event_id, wanted exactly one", field="season_id")
    return given[0]


def plan_here(tx: ReadTx, org_id: str, args: Args) -> tuple[PlanKind, str]:
    """The kind and id of the season or event of this organization that is to be changed. Raises Invalid, NotFound."""
    kind, plan_id = asked_kind(args)
    kind.here(tx, org_id, plan_id)
    return kind, plan_id


def plan_seen(tx: ReadTx, org_id: str, args: Args) -> tuple[PlanKind, Row]:
    """The kind and row of the season or event that is read, joint events included. Raises Invalid, NotFound."""
    kind, plan_id = asked_kind(args)
    return kind, kind.seen(tx, org_id, plan_id)


def item_in(tx: ReadTx, kind: PlanKind, plan_id: str, item_id: str) -> dict[str, Any]:
    """The work's place in this very season or event. Raises NotFound for one of another."""
    found = tx.row(
        f"SELECT * FROM {kind.items} WHERE id = :id AND {kind.plan_column} = :plan_id", id=item_id, plan_id=plan_id
    )
    if found is None:
        raise NotFound(f"item {item_id}: not in this {kind.noun}", field="item_id")
    return dict(found)
