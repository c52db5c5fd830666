"""Seasons, events, repertoire and participation over REST: who reads which rows, who writes what. Data only.

Seasons and events are plain rows; whatever has an order, a primary mark or a clock is written by verbs.
"""

from db.clock import Moment
from db.principal import Principal
from db.resources import Policy, Resource, Values
from db.transaction import Row, WriteTx
from domain.choir.event.events import EVENT_FIELDS, refuse_backwards
from domain.choir.season.seasons import SEASON_FIELDS, refuse_taken_day
from domain.supplied import caller, moment, new_id, scope

_HERE = "org_id = :scope"
# Joint events are read by the members of every choir that is affiliated now.
_EVENTS_SEEN = (
    "SELECT id FROM main.events WHERE org_id = :scope UNION ALL"
    " SELECT e.id FROM main.affiliations AS a JOIN main.events AS e ON e.org_id = a.umbrella_id"
    " WHERE a.collective_id = :scope AND a.left_at IS NULL"
)
_OF_SEASON_HERE = "season_id IN (SELECT id FROM main.seasons WHERE org_id = :scope)"
_OF_SEASON_WORK_HERE = f"season_work_id IN (SELECT id FROM main.season_works WHERE {_OF_SEASON_HERE})"
_OF_EVENT_SEEN = f"event_id IN ({_EVENTS_SEEN})"
_OF_EVENT_WORK_SEEN = f"event_work_id IN (SELECT id FROM main.event_works WHERE {_OF_EVENT_SEEN})"
# An umbrella reads the sums of a joint event, never who comes.
_OF_SINGER_HERE = (
    "member_id IN (SELECT member_id FROM main.member_organizations WHERE org_id = :scope)"
    f" AND {_OF_EVENT_SEEN}"
    " AND EXISTS (SELECT 1 FROM main.organizations WHERE id = :scope AND type = 'collective')"
)


def _check_season(tx: WriteTx, principal: Principal, old: Row | None, new: Values, now: Moment) -> None:
    """Raise Duplicate for a first day that another season of the organization has."""
    if "start_date" in new:
        except_id = None if old is None else str(old["id"])
        refuse_taken_day(tx, principal.scope, str(new["start_date"]), except_id=except_id)


def _check_event(tx: WriteTx, principal: Principal, old: Row | None, new: Values, now: Moment) -> None:
    """Raise Invalid for an end before the start."""
    was = {} if old is None else {name: old[name] for name in ("starts_at", "ends_at")}
    refuse_backwards({**was, **new})


PLANNING: tuple[Resource, ...] = (
    Resource(
        "seasons",
        read=(Policy("member", _HERE),),
        insert=(Policy("desk:admin", _HERE),),
        update=(Policy("desk:admin", _HERE),),
        delete=(Policy("desk:admin", _HERE),),
        fields=SEASON_FIELDS,
        supplied={"id": new_id, "org_id": scope, "created_at": moment, "updated_at": moment},
        touched={"updated_at": moment},
        check=_check_season,
    ),
    Resource("season_works", read=(Policy("member", _OF_SEASON_HERE),)),
    Resource("season_work_editions", read=(Policy("member", _OF_SEASON_WORK_HERE),)),
    Resource(
        "events",
        read=(Policy("member", f"id IN ({_EVENTS_SEEN})"),),
        insert=(Policy("events:create", _HERE),),
        update=(Policy("events:manage", _HERE),),
        delete=(Policy("events:delete", _HERE),),
        fields=EVENT_FIELDS,
        supplied={"id": new_id, "org_id": scope, "created_at": moment, "created_by": caller},
        check=_check_event,
    ),
    Resource("event_works", read=(Policy("member", _OF_EVENT_SEEN),)),
    Resource("event_work_editions", read=(Policy("member", _OF_EVENT_WORK_SEEN),)),
    Resource("participation", read=(Policy("member", _OF_SINGER_HERE),)),
)
