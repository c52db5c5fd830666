"""Events: made, moved, published, cancelled, put in the trash. Knows their rules; the programme is its own."""

from typing import Any, LiteralString

from db.clock import Moment
from db.errors import Conflict, Invalid
from db.fields import Choice, Field, Instant, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.notices import notify
from domain.band.trash import Trashable, trash_verb
from domain.charter import Args, Verb
from domain.partial_update import changeable, changes

TYPES = ("CONCERT", "REHEARSAL", "SECTIONAL", "BOARD_MEETING", "SOCIAL", "OTHER")

EVENT_FIELDS: dict[str, Field] = {
    "title": Text(required=True),
    "description": Text(max_characters=4000),
    "type": Choice(TYPES, required=True),
    "start_time": Instant(required=True),
    "end_time": Instant(required=True),
    "location": Text(),
    "venue_id": Text(),
    "call_time": Instant(),
    "dress_code": Text(),
}


EVENTS = Trashable("events", "event")
event_row, live_event = EVENTS.row, EVENTS.live


def _check(tx: ReadTx, times: dict[str, Any], venue_id: str | None) -> None:
    """Raise Invalid for times in the wrong order or an unknown venue."""
    if times["end_time"] <= times["start_time"]:
        raise Invalid(f"end_time: {times['end_time']} is not after start_time {times['start_time']}", field="end_time")
    if times["call_time"] is not None and times["call_time"] > times["start_time"]:
        raise Invalid(f"call_time: {times['call_time']} is after start_time {times['start_time']}", field="call_time")
    if venue_id is not None and tx.value("SELECT 1 FROM venues WHERE id = :id", id=venue_id) is None:
        raise Invalid(f"venue_id: {venue_id!r} is unknown", field="venue_id")


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id of the new event, which is not published. Raises Invalid."""
    given = {name: args.get(name) for name in EVENT_FIELDS}
    _check(tx, given, given["venue_id"])
    event_id = now.new_id()
    tx.insert("events", id=event_id, created_at=now.text, updated_at=now.text, **given)
    return {"id": event_id}


_SET = """
UPDATE events
   SET title = :title, description = :description, type = :type, start_time = :start_time, end_time = :end_time,
       location = :location, venue_id = :venue_id, call_time = :call_time, dress_code = :dress_code,
       updated_at = :now
 WHERE id = :id
"""


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Active members are told when a published event to come is moved. Raises NotFound, Invalid."""
    event = live_event(tx, args["event_id"])
    given = changes(args, EVENT_FIELDS)
    new = {name: given.get(name, event[name]) for name in EVENT_FIELDS}
    _check(tx, new, given.get("venue_id"))
    tx.execute(_SET, id=event["id"], now=now.text, **new)
    if new["start_time"] != event["start_time"]:
        tell_of_change(tx, event, f"moved to {new['start_time'][:16].replace('T', ' ')} UTC", now)
    return {"id": event["id"]}


_ACTIVE_USERS = """
SELECT u.id FROM members AS m JOIN users AS u ON u.id = m.user_id AND u.deleted_at IS NULL
 WHERE m.status = 'ACTIVE' AND m.deleted_at IS NULL ORDER BY u.id
"""


def tell_of_change(tx: WriteTx, event: Row, what: str, now: Moment) -> None:
    """Tell every active member's user, once, if the event was published and still to come."""
    if not event["is_published"] or event["is_cancelled"] or event["start_time"] <= now.text:
        return
    for row in tx.rows(_ACTIVE_USERS):
        key = f"chg:{event['id']}:{now.text}:{row['id']}"
        message = f"{event['title']}: {what}"
        notify(tx, row["id"], "SYSTEM", "An event changed", message, dedupe_key=key, now=now, event_id=event["id"])


_PUBLISH: LiteralString = "UPDATE events SET is_published = :flag, updated_at = :now WHERE id = :id"
_CANCEL: LiteralString = "UPDATE events SET is_cancelled = :flag, updated_at = :now WHERE id = :id"


def _switch(tx: WriteTx, event_id: str, sql: LiteralString, column: str, flag: int, now: Moment) -> Row:
    """The event as it was. Raises Conflict `invalid_transition` when the flag stands like this already."""
    event = live_event(tx, event_id)
    if event[column] == flag:
        state = column.removeprefix("is_")
        raise Conflict(f"the event is {'' if flag else 'not '}{state}", code="invalid_transition")
    tx.execute(sql, id=event_id, flag=flag, now=now.text)
    return event


def publish(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Conflict `invalid_transition`."""
    return {"id": _switch(tx, args["event_id"], _PUBLISH, "is_published", 1, now)["id"]}


def unpublish(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Conflict `invalid_transition`."""
    return {"id": _switch(tx, args["event_id"], _PUBLISH, "is_published", 0, now)["id"]}


def cancel(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Active members are told if it was published and to come. Raises as `publish`."""
    event = _switch(tx, args["event_id"], _CANCEL, "is_cancelled", 1, now)
    tell_of_change(tx, event, "cancelled", now)
    return {"id": event["id"]}


def reinstate(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises as `publish`."""
    return {"id": _switch(tx, args["event_id"], _CANCEL, "is_cancelled", 0, now)["id"]}


_TRASHED: LiteralString = """
SELECT id, title, type, start_time, deleted_at FROM events WHERE deleted_at IS NOT NULL
"""


def delete(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, and until when the event can come back. Raises NotFound, Conflict `already_deleted`."""
    return EVENTS.discard(tx, args["event_id"], now)


def restore(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Conflict `not_deleted`, `restore_window_closed`."""
    return EVENTS.bring_back(tx, args["event_id"], now)


_EDIT, _PUBLISHING, _DELETE = ("event.edit",), ("event.publish",), ("event.delete",)
_ONE: dict[str, Field] = {"event_id": Text(required=True)}

VERBS = (
    Verb("event.create", create, True, "Plan an event.", ("event.create",), EVENT_FIELDS),
    Verb(
        "event.update",
        update,
        True,
        "Change an event; who plays is told when it moves.",
        _EDIT,
        {**_ONE, **changeable(EVENT_FIELDS)},
    ),
    Verb("event.publish", publish, True, "Show an event to everybody.", _PUBLISHING, _ONE),
    Verb("event.unpublish", unpublish, True, "Hide an event again.", _PUBLISHING, _ONE),
    Verb("event.cancel", cancel, True, "Cancel an event; who plays is told.", _EDIT, _ONE),
    Verb("event.reinstate", reinstate, True, "Take the cancelling of an event back.", _EDIT, _ONE),
    Verb("event.delete", delete, True, "Put an event in the trash for 30 days.", _DELETE, _ONE),
    Verb("event.restore", restore, True, "Bring an event back from the trash.", _DELETE, _ONE),
    trash_verb("event.trash", "Events", _TRASHED, "event.delete"),
)
