"""Seasons: named periods known by their first day. Knows which one a day belongs to; no event stores its season."""

from typing import Any

from db.clock import Moment
from db.errors import NotFound
from db.fields import Day, Field, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.charter import Args, Verb
from domain.choir.event.events import EVENT_COLUMNS
from domain.errors import Duplicate
from domain.partial_update import changeable, changes

SEASON_FIELDS: dict[str, Field] = {"name": Text(required=True), "start_date": Day(required=True)}

_NEWEST_FIRST = "SELECT * FROM seasons WHERE org_id = :org_id ORDER BY start_date DESC"


def list_seasons(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Every season, newest first."""
    return [dict(row) for row in tx.rows(_NEWEST_FIRST, org_id=principal.scope)]


def season_here(tx: ReadTx, org_id: str, season_id: str) -> Row:
    """The season of this organization. Raises NotFound."""
    found = tx.row("SELECT * FROM seasons WHERE id = :id AND org_id = :org_id", id=season_id, org_id=org_id)
    if found is None:
        raise NotFound(f"season {season_id}: not in this organization", field="season_id")
    return found


_OLDER = """
SELECT id, name, start_date FROM seasons WHERE org_id = :org_id AND start_date < :day ORDER BY start_date DESC LIMIT 1
"""
_NEWER = """
SELECT id, name, start_date FROM seasons WHERE org_id = :org_id AND start_date > :day ORDER BY start_date LIMIT 1
"""


def season_after(tx: ReadTx, season: Row) -> Row | None:
    """The next newer season of the same organization (id, name, start_date); it ends this one."""
    return tx.row(_NEWER, org_id=season["org_id"], day=season["start_date"])


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """One season with its neighbours `previous` (older) and `next` (newer). Raises NotFound."""
    season = season_here(tx, principal.scope, args["season_id"])
    older = tx.row(_OLDER, org_id=principal.scope, day=season["start_date"])
    newer = season_after(tx, season)
    return {**dict(season), "previous": older and dict(older), "next": newer and dict(newer)}


_OF_DAY = """
SELECT * FROM seasons WHERE org_id = :org_id AND start_date <= :day ORDER BY start_date DESC LIMIT 1
"""


def season_of(tx: ReadTx, org_id: str, day: str) -> Row | None:
    """The season a calendar day belongs to: the one that started last. None before the first."""
    return tx.row(_OF_DAY, org_id=org_id, day=day)


def by_date(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any] | None:
    """The season of a day, today (UTC) unless one is given; null when the day precedes all."""
    found = season_of(tx, principal.scope, args.get("date") or now.text[:10])
    return None if found is None else dict(found)


# Timestamps compared with bare days: a day sorts before every moment of it and after every moment of the day before.
_EVENTS = f"""
SELECT {EVENT_COLUMNS} FROM events AS e
 WHERE e.org_id = :org_id AND e.starts_at >= :start AND (:until IS NULL OR e.starts_at < :until)
 ORDER BY e.starts_at, e.id
"""


def events(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The season's events by start; an event counts by the UTC day it starts on. Raises NotFound."""
    season = season_here(tx, principal.scope, args["season_id"])
    newer = season_after(tx, season)
    found = tx.rows(
        _EVENTS, org_id=principal.scope, start=season["start_date"], until=newer["start_date"] if newer else None
    )
    return [dict(row) for row in found]


_TAKEN = "SELECT name FROM seasons WHERE org_id = :org_id AND start_date = :day AND id IS NOT :except_id"


def refuse_taken_day(tx: ReadTx, org_id: str, day: str, *, except_id: str | None = None) -> None:
    """Raise Duplicate when another season of the organization starts on the day."""
    taken = tx.value(_TAKEN, org_id=org_id, day=day, except_id=except_id)
    if taken is not None:
        raise Duplicate(f"start_date: {taken!r} starts on {day} already", field="start_date")


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new season. Raises Duplicate for a day on which another one starts."""
    refuse_taken_day(tx, principal.scope, args["start_date"])
    season_id = now.new_id()
    values = {name: args[name] for name in SEASON_FIELDS}
    tx.insert("seasons", id=season_id, org_id=principal.scope, created_at=now.text, updated_at=now.text, **values)
    return dict(season_here(tx, principal.scope, season_id))


_UPDATE = "UPDATE seasons SET name = :name, start_date = :start_date, updated_at = :updated_at WHERE id = :id"


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The season after the change; a new first day regroups the events at once. Raises NotFound, Duplicate, Invalid."""
    old = season_here(tx, principal.scope, args["season_id"])
    given = changes(args, SEASON_FIELDS)
    values = {name: given.get(name, old[name]) for name in SEASON_FIELDS}
    refuse_taken_day(tx, principal.scope, values["start_date"], except_id=old["id"])
    tx.execute(_UPDATE, id=old["id"], updated_at=now.text, **values)
    return dict(season_here(tx, principal.scope, old["id"]))


def delete(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id that is gone with its repertoire; its events now belong to the season before. Raises NotFound."""
    season = season_here(tx, principal.scope, args["season_id"])
    tx.execute("DELETE FROM seasons WHERE id = :id", id=season["id"])
    return {"id": season["id"]}


_DESK = ("desk:admin",)
_ONE: dict[str, Field] = {"season_id": Text(required=True)}
_CHANGED: dict[str, Field] = {**_ONE, **changeable(SEASON_FIELDS)}

VERBS = (
    Verb("season.list", list_seasons, False, "Seasons, newest first.", ("member",), rows="seasons"),
    Verb("season.get", get, False, "One season with its neighbours.", ("member",), _ONE, "seasons"),
    Verb(
        "season.by_date", by_date, False, "The season of a day, or of today.", ("member",), {"date": Day()}, "seasons"
    ),
    Verb("season.events", events, False, "The events of a season by start.", ("member",), _ONE, "events"),
    Verb("season.create", create, True, "Add a season by its first day.", _DESK, SEASON_FIELDS, "seasons"),
    Verb("season.update", update, True, "Rename or move a season.", _DESK, _CHANGED, "seasons"),
    Verb("season.delete", delete, True, "Delete a season; its events stay.", _DESK, _ONE),
)
