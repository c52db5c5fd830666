"""Events: rehearsals, concerts, retreats, festivals. Knows their times and who sees them; not who comes."""

from collections.abc import Mapping
from typing import Any

from db.clock import Moment
from db.errors import Invalid, NotFound
from db.fields import TEXT_CHARACTERS, Choice, Field, Flag, Instant, JsonObject, ListOf, Text, parse_fields
from db.principal import Principal
from db.transaction import ReadTx, Row, SqlValue, WriteTx
from domain.charter import Args, Verb
from domain.partial_update import changeable, changes

TYPES = ("rehearsal", "concert", "retreat", "festival")
MOST_AT_ONCE = 100
EVENT_FIELDS: dict[str, Field] = {
    "title": Text(required=True),
    "description": Text(max_characters=TEXT_CHARACTERS),
    "location": Text(),
    "starts_at": Instant(required=True),
    "ends_at": Instant(),
    "event_type": Choice(TYPES, required=True),
}

# What an event `e` shows; shown_until assumes the organization's usual length where no end was given.
EVENT_COLUMNS = """e.*, coalesce(e.ends_at, strftime('%Y-%m-%dT%H:%M:%fZ', e.starts_at, '+' || (
    SELECT value FROM vault_settings WHERE org_id = e.org_id AND key = 'default_event_duration') || ' minutes'))
    AS shown_until"""

_BETWEEN = f"""
SELECT {EVENT_COLUMNS} FROM events AS e
 WHERE e.org_id = :org_id AND e.starts_at >= :start AND (:end IS NULL OR e.starts_at <= :end)
   AND (:event_type IS NULL OR e.event_type = :event_type)
 ORDER BY e.starts_at, e.id
"""


def list_events(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Events by start, both bounds included; `upcoming` leaves out what started before now."""
    start = args.get("start") or ""
    rows = tx.rows(
        _BETWEEN,
        org_id=principal.scope,
        start=max(start, now.text) if args.get("upcoming") else start,
        end=args.get("end"),
        event_type=args.get("event_type"),
    )
    return [dict(row) for row in rows]


_SEEN = f"""
SELECT {EVENT_COLUMNS} FROM events AS e
 WHERE e.id = :id
   AND (e.org_id = :org_id OR EXISTS (
        SELECT 1 FROM affiliations AS a
         WHERE a.collective_id = :org_id AND a.umbrella_id = e.org_id AND a.left_at IS NULL))
"""


def event_seen(tx: ReadTx, org_id: str, event_id: str) -> Row:
    """The event of this organization, or of an umbrella it is affiliated to now. Raises NotFound."""
    found = tx.row(_SEEN, id=event_id, org_id=org_id)
    if found is None:
        raise NotFound(f"event {event_id}: not in this organization", field="event_id")
    return found


def event_here(tx: ReadTx, org_id: str, event_id: str) -> Row:
    """The event of this organization itself, as whoever changes it needs. Raises NotFound."""
    found = tx.row("SELECT * FROM events WHERE id = :id AND org_id = :org_id", id=event_id, org_id=org_id)
    if found is None:
        raise NotFound(f"event {event_id}: not in this organization", field="event_id")
    return found


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """One event, a joint one too. Raises NotFound."""
    return dict(event_seen(tx, principal.scope, args["event_id"]))


def refuse_backwards(values: Mapping[str, SqlValue]) -> None:
    """Raise Invalid for an end before the start."""
    starts_at, ends_at = str(values["starts_at"]), values.get("ends_at")
    if ends_at is not None and str(ends_at) < starts_at:
        raise Invalid(f"ends_at: got {ends_at!s}, wanted {starts_at} or later", field="ends_at")


def _new_event(position: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The values of one entry. Raises Invalid, which says the position."""
    try:
        values = dict.fromkeys(EVENT_FIELDS) | parse_fields(entry, EVENT_FIELDS)
        refuse_backwards(values)
    except Invalid as exc:
        raise Invalid(f"events[{position}]: {exc.message}", field=exc.field) from exc
    return values


def create_many(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The new events in the order given; one bad entry refuses all. Raises Invalid."""
    entries = [_new_event(position, entry) for position, entry in enumerate(args["events"])]
    made = [{"id": now.new_id(), "org_id": principal.scope, **values} for values in entries]
    for values in made:
        tx.insert("events", created_by=principal.id, created_at=now.text, **values)
    return [dict(event_seen(tx, principal.scope, values["id"])) for values in made]


_UPDATE = """
UPDATE events
   SET title = :title, description = :description, location = :location, starts_at = :starts_at, ends_at = :ends_at,
       event_type = :event_type
 WHERE id = :id
"""


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The event after the change; a new start opens or closes answers by itself. Raises NotFound, Invalid."""
    old = event_here(tx, principal.scope, args["event_id"])
    given = changes(args, EVENT_FIELDS)
    values = {name: given.get(name, old[name]) for name in EVENT_FIELDS}
    refuse_backwards(values)
    tx.execute(_UPDATE, id=old["id"], **values)
    return dict(event_seen(tx, principal.scope, old["id"]))


def delete(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id that is gone with its programme and what was recorded. Raises NotFound."""
    event = event_here(tx, principal.scope, args["event_id"])
    tx.execute("DELETE FROM events WHERE id = :id", id=event["id"])
    return {"id": event["id"]}


_ONE: dict[str, Field] = {"event_id": Text(required=True)}
_LIST: dict[str, Field] = {"upcoming": Flag(), "start": Instant(), "end": Instant(), "event_type": Choice(TYPES)}
_MANY: dict[str, Field] = {"events": ListOf(JsonObject(), required=True, minimum=1, maximum=MOST_AT_ONCE)}

VERBS = (
    Verb(
        "event.list", list_events, False, "Events by start, all or between two moments.", ("member",), _LIST, "events"
    ),
    Verb("event.get", get, False, "One event.", ("member",), _ONE, "events"),
    Verb(
        "event.create_many",
        create_many,
        True,
        "Add up to 100 events, all or none.",
        ("events:create",),
        _MANY,
        "events",
    ),
    Verb(
        "event.update",
        update,
        True,
        "Change an event.",
        ("events:manage",),
        {**_ONE, **changeable(EVENT_FIELDS)},
        "events",
    ),
    Verb("event.delete", delete, True, "Delete an event and all that belongs to it.", ("events:delete",), _ONE),
)
