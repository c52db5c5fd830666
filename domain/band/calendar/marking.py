"""Marking attendance: one by one, a whole sheet, absent to begin with, and everybody's own answer before the event."""

import json
from collections.abc import Mapping
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited
from db.fields import Choice, Field, Instant, ListOf, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.calendar.events import live_event
from domain.band.objects import ObjectOf
from domain.band.people.members import own_member
from domain.band.recently import changes_since
from domain.band.visibility import LED_MEMBERS, OWN_MEMBER
from domain.charter import Args, Verb

STATUSES = ("PRESENT", "ABSENT", "EXCUSED", "LATE", "LEFT_EARLY")
_ANSWERS: Mapping[str, str] = {
    "YES": "PRESENT",
    "NO": "ABSENT",
    "MAYBE": "EXCUSED",
    "PRESENT": "PRESENT",
    "ABSENT": "ABSENT",
    "LATE": "LATE",
    "EXCUSED": "EXCUSED",
}
_MARK: dict[str, Field] = {"status": Choice(STATUSES, required=True), "notes": Text(max_characters=1000)}
_RECORD: dict[str, Field] = {"member_id": Text(required=True), **_MARK, "marked_at": Instant()}


def markable_event(tx: ReadTx, event_id: str) -> Row:
    """The event. Raises NotFound, Conflict `event_cancelled`."""
    event = live_event(tx, event_id)
    if event["is_cancelled"]:
        raise Conflict("the event is cancelled and takes no attendance", code="event_cancelled", field="event_id")
    return event


def _require_markable(tx: ReadTx, member_id: str) -> None:
    """Raise Invalid for a member who is unknown or deleted."""
    if tx.value("SELECT 1 FROM members WHERE id = :id AND deleted_at IS NULL", id=member_id) is None:
        raise Invalid(f"member_id: {member_id!r} is unknown", field="member_id")


_PUT = """
INSERT INTO attendance (id, event_id, member_id, status, notes, marked_at, marked_by)
VALUES (:id, :event_id, :member_id, :status, :notes, :marked_at, :by)
    ON CONFLICT (event_id, member_id) DO UPDATE
   SET status = excluded.status, notes = excluded.notes, marked_at = excluded.marked_at,
       marked_by = excluded.marked_by
"""


def put_mark(tx: WriteTx, event_id: str, record: Mapping[str, Any], by: str | None, now: Moment) -> None:
    """Write one mark; a row that exists keeps its id. Raises Invalid `marked_in_future`."""
    marked_at: str = record.get("marked_at") or now.text
    if marked_at > now.text:
        raise Invalid(f"marked_at: {marked_at} is in the future", code="marked_in_future", field="marked_at")
    tx.execute(
        _PUT,
        id=now.new_id(),
        event_id=event_id,
        member_id=record["member_id"],
        status=record["status"],
        notes=record.get("notes"),
        marked_at=marked_at,
        by=by,
    )


_LED = f"SELECT 1 WHERE :member_id IN {LED_MEMBERS}"
_OWN = f"SELECT 1 WHERE :member_id = {OWN_MEMBER}"


def _right(tx: ReadTx, principal: Principal, member_id: str) -> str:
    """By which right the caller marks this member: all, section or own. Raises Forbidden `out_of_scope`."""
    if principal.may("attendance.mark.all"):
        return "all"
    own = tx.value(_OWN, member_id=member_id, principal_id=principal.id) is not None
    led = own or tx.value(_LED, member_id=member_id, principal_id=principal.id) is not None
    # A leader acts on the own row too, and not only as everybody does.
    if led and principal.may("attendance.mark.section"):
        return "section"
    if own:
        return "own"
    raise Forbidden("this member is not yours to mark", code="out_of_scope", field="member_id")


def _refuse_locked(tx: ReadTx, event: Row, member_id: str, by: str | None, now: Moment) -> None:
    """Raise Conflict `attendance_locked` once the event is over or somebody else made the mark."""
    last = tx.row(
        "SELECT marked_by FROM attendance WHERE event_id = :event_id AND member_id = :member_id",
        event_id=event["id"],
        member_id=member_id,
    )
    if now.text >= event["end_time"]:
        raise Conflict("the event is over; ask the director", code="attendance_locked")
    if last is not None and last["marked_by"] != by:
        raise Conflict("the roll was called; ask the director", code="attendance_locked")


def mark(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Member and status. Raises NotFound, Invalid, Forbidden `out_of_scope`, Conflict `event_cancelled`, `…_locked`."""
    event = markable_event(tx, args["event_id"])
    if not event["is_published"] and not principal.may("event.edit"):
        raise NotFound(f"event {event['id']}: unknown", field="event_id")
    _require_markable(tx, args["member_id"])
    if _right(tx, principal, args["member_id"]) == "own":
        _refuse_locked(tx, event, args["member_id"], principal.id, now)
    put_mark(tx, event["id"], args, principal.id, now)
    return {"event_id": event["id"], "member_id": args["member_id"], "status": args["status"]}


_TAKE_OTHERS = """
DELETE FROM attendance WHERE event_id = :id AND member_id NOT IN (SELECT value FROM json_each(:kept))
"""


def mark_sheet(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many rows the event has now: who is not on the sheet has none. Raises as `attendance.mark`."""
    event = markable_event(tx, args["event_id"])
    listed = [record["member_id"] for record in args["records"]]
    if len(set(listed)) != len(listed):
        raise Invalid("records: a member is listed twice", field="records")
    tx.execute(_TAKE_OTHERS, id=event["id"], kept=json.dumps(listed))
    for record in args["records"]:
        _require_markable(tx, record["member_id"])
        put_mark(tx, event["id"], record, principal.id, now)
    tx.note("attendance", {"action": "BULK_MARK", "event_id": event["id"], "rows": len(listed)})
    return {"count": len(listed)}


_MISSING = """
SELECT m.id FROM members AS m
 WHERE m.status = 'ACTIVE' AND m.deleted_at IS NULL
   AND NOT EXISTS (SELECT 1 FROM attendance WHERE event_id = :event_id AND member_id = m.id)
   AND (:sections IS NULL OR EXISTS (
        SELECT 1 FROM member_sections
         WHERE member_id = m.id AND section_id IN (SELECT value FROM json_each(:sections))))
 ORDER BY m.id
"""


def initialise(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many active members were entered as absent, those without a row. Raises NotFound, Conflict."""
    event = markable_event(tx, args["event_id"])
    wanted: list[str] | None = args.get("section_ids")
    sections = None if wanted is None else json.dumps(wanted)
    rows = tx.rows(_MISSING, event_id=event["id"], sections=sections)
    for row in rows:
        put_mark(tx, event["id"], {"member_id": row["id"], "status": "ABSENT"}, principal.id, now)
    return {"count": len(rows)}


PER_MINUTE = 10
_MINUTE_S = 60
_ANSWERING = ("ACTIVE", "LEAVE_OF_ABSENCE")


def answer(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The status that stands for the answer.

    Raises NotFound, Forbidden, Conflict `event_cancelled`, `attendance_locked`, RateLimited.
    """
    if changes_since(tx, now.later(seconds=-_MINUTE_S), "attendance", actor=principal.actor_id) >= PER_MINUTE:
        raise RateLimited(f"{PER_MINUTE} answers a minute were given", retry_after_s=_MINUTE_S)
    event = markable_event(tx, args["event_id"])
    if not event["is_published"]:
        raise NotFound(f"event {event['id']}: unknown", field="event_id")
    member_id = own_member(tx, principal)
    status = tx.value("SELECT status FROM members WHERE id = :id", id=member_id)
    if status not in _ANSWERING:
        raise Forbidden(f"a member who is {status} is not asked", code="out_of_scope")
    # Whatever else the caller may do, this is everybody's own answer and keeps its lock.
    _refuse_locked(tx, event, member_id, principal.id, now)
    record = {"member_id": member_id, "status": _ANSWERS[args["status"]]}
    put_mark(tx, event["id"], record, principal.id, now)
    return {"event_id": event["id"], **record}


_ALL = ("attendance.mark.all",)
_EVENT: dict[str, Field] = {"event_id": Text(required=True)}

VERBS = (
    Verb(
        "attendance.mark",
        mark,
        True,
        "Mark one member for an event.",
        ("attendance.mark.own",),
        {**_EVENT, **_RECORD},
    ),
    Verb(
        "attendance.mark_sheet",
        mark_sheet,
        True,
        "Write an event's whole sheet; who is not on it loses the mark.",
        _ALL,
        {**_EVENT, "records": ListOf(ObjectOf(_RECORD), required=True)},
    ),
    Verb(
        "attendance.initialise",
        initialise,
        True,
        "Enter every active member without a mark as absent.",
        _ALL,
        {**_EVENT, "section_ids": ListOf(Text())},
    ),
    Verb(
        "event.rsvp",
        answer,
        True,
        "Say whether one will come.",
        ("attendance.mark.own",),
        {**_EVENT, "status": Choice(tuple(_ANSWERS), required=True)},
    ),
)
