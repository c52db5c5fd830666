"""An event as a reader sees it: anonymous, member of the band, staff. Knows who sees what; changes nothing."""

from typing import Any, LiteralString

from db.clock import Moment
from db.errors import NotFound
from db.fields import Choice, Field, Flag, Instant, Integer, Text
from db.principal import Principal
from db.transaction import ReadTx, Row
from domain.band.calendar.events import TYPES, event_row
from domain.band.calendar.programme import programme
from domain.band.narrowing import Conditions, narrowed
from domain.charter import Args, Verb

_PUBLIC = ("id", "title", "description", "type", "start_time", "end_time", "location", "is_cancelled")
_MEMBERS = (*_PUBLIC, "venue_id", "call_time", "dress_code", "is_published", "created_at", "updated_at")
_PLAYED = ("title", "composer", "arranger")
_VENUE = "SELECT name, address, city, state, zip_code, directions, parking FROM venues WHERE id = :id"
# A note for a section is for those who sit in it, and for those who plan.
_NOTES = """
SELECT n.id, n.title, n.content, n.is_public, n.target_section, n.created_at
  FROM event_notes AS n
 WHERE n.event_id = :event_id
   AND (n.is_public = 1
        OR (:members AND n.target_section IS NULL)
        OR (:planner AND n.target_section IS NOT NULL)
        OR (:members AND n.target_section IN (
             SELECT s.section_id FROM member_sections AS s JOIN members AS m ON m.id = s.member_id
              WHERE m.user_id = :principal_id AND m.deleted_at IS NULL)))
 ORDER BY n.created_at DESC, n.id DESC
"""
_OWN_MARK = """
SELECT a.status, a.marked_at FROM attendance AS a JOIN members AS m ON m.id = a.member_id
 WHERE a.event_id = :event_id AND m.user_id = :principal_id
"""


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The event with venue, programme and the notes the reader may see. Raises NotFound for what is not shown."""
    event = event_row(tx, args["event_id"])
    hidden = event["deleted_at"] is not None or not (event["is_published"] or principal.may("event.edit"))
    if hidden:
        raise NotFound(f"event {args['event_id']}: unknown", field="event_id")
    return _shown(tx, principal, event)


def _shown(tx: ReadTx, principal: Principal, event: Row) -> dict[str, Any]:
    members = principal.may("event.view.all")
    card: dict[str, Any] = {name: event[name] for name in (_MEMBERS if members else _PUBLIC)}
    venue = None if event["venue_id"] is None else tx.row(_VENUE, id=event["venue_id"])
    card["venue"] = venue and dict(venue)
    card["programme"] = played = programme(tx, event)
    if not members:
        played["items"] = [{name: item[name] for name in _PLAYED} for item in played["items"]]
    notes = tx.rows(
        _NOTES,
        event_id=event["id"],
        members=int(members),
        planner=int(principal.may("event.edit")),
        principal_id=principal.id,
    )
    card["notes"] = [dict(row) for row in notes]
    if members:
        mark = tx.row(_OWN_MARK, event_id=event["id"], principal_id=principal.id)
        card["attendance"] = mark and dict(mark)
    return card


_LIST: LiteralString = """
SELECT id, title, description, type, start_time, end_time, location, venue_id, call_time, dress_code, is_cancelled,
       is_published, created_at, updated_at
  FROM events
 WHERE deleted_at IS NULL AND (is_published = 1 OR :planner)
"""
_NARROWED: Conditions = {
    "from": "start_time >= :from",
    "to": "start_time <= :to",
    "type": "+type = :type",
    "upcoming": "start_time >= :now",
}
_BY_START: LiteralString = " ORDER BY start_time, id LIMIT :limit OFFSET :offset"
_PAGE = 20
_MOST = 100


def list_events(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Events by their start; for the public without call time and dress code."""
    conditions, values = narrowed(args, _NARROWED)
    rows = tx.rows(
        _LIST + conditions + _BY_START,
        planner=int(principal.may("event.edit")),
        now=now.text,
        limit=args.get("limit") or _PAGE,
        offset=args.get("offset") or 0,
        **values,
    )
    columns = _MEMBERS if principal.may("event.view.all") else _PUBLIC
    return [{name: row[name] for name in columns} for row in rows]


_ONE: dict[str, Field] = {"event_id": Text(required=True)}

# Anybody may ask: whoever is not signed in has what the public has.
VERBS = (
    Verb("event.get", get, False, "An event with its programme and notes.", (), _ONE),
    Verb(
        "event.list",
        list_events,
        False,
        "Events by their start.",
        (),
        {
            "from": Instant(),
            "to": Instant(),
            "type": Choice(TYPES),
            "upcoming": Flag(),
            "limit": Integer(minimum=1, maximum=_MOST),
            "offset": Integer(minimum=0),
        },
    ),
)
