"""The attendance list of an event: many recorded at once, everybody shown. Knows one choir; adds nothing up."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from db.clock import Moment
from db.errors import Forbidden, Invalid, NotFound
from db.fields import Field, JsonObject, ListOf, Text, parse_fields
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.attendance import has_started
from domain.charter import Args, Verb
from domain.choir.event.participation import ACTUAL, CheckedLater, event_to_attend
from domain.errors import EventNotStarted

MOST_AT_ONCE = 500
_STATUS = CheckedLater(ACTUAL)
_ENTRY: dict[str, Field] = {"member_id": Text(required=True), "actual_status": _STATUS}

_MEMBERS = "SELECT member_id FROM member_organizations WHERE org_id = :org_id"
# Every member is named once, so each row is written once.
_WRITE = """
INSERT INTO participation (id, member_id, event_id, actual_status, recorded_at, recorded_by, created_at, updated_at)
SELECT value ->> 'id', value ->> 'member_id', :event_id, value ->> 'actual_status',
       iif(value ->> 'actual_status' IS NULL, NULL, :now), iif(value ->> 'actual_status' IS NULL, NULL, :caller_id),
       :now, :now
  FROM json_each(:entries) WHERE true
    ON CONFLICT (member_id, event_id) DO UPDATE
   SET actual_status = excluded.actual_status, recorded_at = excluded.recorded_at, recorded_by = excluded.recorded_by,
       updated_at = excluded.updated_at
"""


def set_many(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """`written`: how many members were recorded; one bad entry refuses all.

    Raises NotFound, Invalid, EventNotStarted, Forbidden.
    """
    event = event_to_attend(tx, principal.scope, args["event_id"])
    entries = [_entry(position, entry) for position, entry in enumerate(args["entries"])]
    _check_members(tx, principal.scope, entries)
    for position, entry in enumerate(entries):
        _STATUS.check(entry["actual_status"], f"entries[{position}].actual_status")
    if not has_started(event["starts_at"], now.text):
        raise EventNotStarted(f"the event starts at {event['starts_at']}; attendance is recorded from then on")
    if not principal.may("attendance:record"):
        raise Forbidden("only a conductor or section leader keeps the attendance list")
    numbered = json.dumps([{"id": now.new_id(), **entry} for entry in entries])
    tx.execute(_WRITE, entries=numbered, event_id=event["id"], caller_id=principal.id, now=now.text)
    return {"written": len(entries)}


def _entry(position: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Member and status; null clears, absence is a mistake. Raises Invalid, which says the position."""
    try:
        entry = parse_fields(given, _ENTRY)
    except Invalid as exc:
        raise Invalid(f"entries[{position}]: {exc.message}", field=exc.field) from exc
    if "actual_status" not in entry:
        raise Invalid(f"entries[{position}]: actual_status: required; null clears", field="actual_status")
    return entry


def _check_members(tx: ReadTx, org_id: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Raise NotFound for somebody who is no member here, Invalid for somebody who is named twice."""
    named = [entry["member_id"] for entry in entries]
    here = {row[0] for row in tx.rows(_MEMBERS, org_id=org_id)}
    if strangers := set(named) - here:
        raise NotFound(f"member {min(strangers)}: not in this organization", field="member_id")
    if len(set(named)) != len(named):
        raise Invalid("entries: a member is named twice; wanted each once", field="entries")


_EVERYBODY = """
SELECT m.id AS member_id, coalesce(o.nickname, m.nickname, m.name) AS display_name,
       p.planned_status, p.planned_at, p.planned_notes, p.actual_status, p.recorded_at, p.recorded_by
  FROM member_organizations AS o JOIN members AS m ON m.id = o.member_id
  LEFT JOIN participation AS p ON p.member_id = m.id AND p.event_id = :event_id
 WHERE o.org_id = :org_id
 ORDER BY casefold(coalesce(o.nickname, m.nickname, m.name)), m.id
"""


def list_all(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Every member of the choir by display name, with what is recorded for the event or nulls. Raises NotFound."""
    event = event_to_attend(tx, principal.scope, args["event_id"])
    return [dict(row) for row in tx.rows(_EVERYBODY, org_id=principal.scope, event_id=event["id"])]


_ONE: dict[str, Field] = {"event_id": Text(required=True)}

VERBS = (
    Verb(
        "participation.set_attendance_bulk",
        set_many,
        True,
        "Record up to 500 members at once, all or none.",
        ("member",),
        {**_ONE, "entries": ListOf(JsonObject(), required=True, minimum=1, maximum=MOST_AT_ONCE)},
    ),
    Verb("participation.list", list_all, False, "Every member with RSVP and attendance.", ("member",), _ONE),
)
