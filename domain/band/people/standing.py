"""Changing a member's status, one or many, and what comes with it: dates, roles, leading. Knows the status's rules."""

from typing import Any

from db.clock import Moment
from db.errors import Conflict, Invalid
from db.fields import Choice, Field, ListOf, Text
from db.principal import Principal
from db.transaction import Row, WriteTx
from domain.band.days import MIDNIGHT, DayOrInstant
from domain.band.people.members import MEMBERS, live_member, member_row, refuse_anonymised
from domain.band.people.status import STATUSES, gives_up_playing, may_become, next_statuses
from domain.band.permissions import PLAYING_ROLES
from domain.band.users import grant_role, take_role
from domain.charter import Args, Verb

_SET = """
UPDATE members
   SET status = :status, join_date = :join_date, leave_date = :leave_date, updated_at = :now
 WHERE id = :id
"""
_OPEN = """
SELECT a.id, a.piece_id, p.title, a.part_name, a.status, a.due_date
  FROM music_assignments AS a JOIN music_pieces AS p ON p.id = a.piece_id
 WHERE a.member_id = :id AND a.status IN ('ASSIGNED', 'PICKED_UP', 'OVERDUE')
 ORDER BY p.title, a.part_name, a.id
"""


def set_status(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, status, dates; when playing ends, the assignments that are still open. Raises NotFound, Conflict, Invalid."""
    return change_status(tx, args["member_id"], args["status"], args.get("leave_date"), principal.id, now)


def change_status(
    tx: WriteTx, member_id: str, status: str, leave_date: str | None, by: str | None, now: Moment
) -> dict[str, Any]:
    """The answer of `member.set_status`. Raises Conflict `invalid_transition`, Invalid for a day before joining."""
    member = live_member(tx, member_id)
    if not may_become(member["status"], status):
        wanted = " or ".join(next_statuses(member["status"]))
        raise Conflict(
            f"status: a member who is {member['status']} may become {wanted}, got {status}",
            code="invalid_transition",
            field="status",
        )
    if leave_date is not None and status != "ALUMNI":
        raise Invalid("leave_date: given with ALUMNI only, which ends the membership", field="leave_date")
    joined, left = _dates(member, status, leave_date, now)
    tx.execute(_SET, id=member_id, status=status, join_date=joined, leave_date=left, now=now.text)
    if status == "ACTIVE" and member["user_id"] is not None:
        grant_role(tx, member["user_id"], "MUSICIAN", assigned_by=by, now=now)
    answer: dict[str, Any] = {"id": member_id, "status": status, "join_date": joined, "leave_date": left}
    if gives_up_playing(status):
        _stop_playing(tx, member)
        answer["open_assignments"] = [dict(row) for row in tx.rows(_OPEN, id=member_id)]
    return answer


def _dates(member: Row, status: str, leave_date: str | None, now: Moment) -> tuple[str | None, str | None]:
    """When the member joined and left, after the change."""
    today = now.text[:10] + MIDNIGHT
    joined, left = member["join_date"], member["leave_date"]
    if status == "ACTIVE":
        return joined or today, None
    if status == "ALUMNI":
        left = leave_date or today
        if joined is not None and left < joined:
            raise Invalid(f"leave_date: {left} is before join_date {joined}", field="leave_date")
    return joined, left


def _stop_playing(tx: WriteTx, member: Row) -> None:
    """Take the playing roles from the member's user, and every mark of a leader."""
    if member["user_id"] is not None:
        for role in PLAYING_ROLES:
            take_role(tx, member["user_id"], role)
    tx.execute("UPDATE member_sections SET is_leader = 0 WHERE member_id = :id AND is_leader = 1", id=member["id"])


def set_statuses(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many changed; all of them or none. Raises as for one."""
    member_ids = list(dict.fromkeys(args["member_ids"]))
    for member_id in member_ids:
        change_status(tx, member_id, args["status"], None, principal.id, now)
    return {"count": len(member_ids)}


def restore(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Conflict `not_deleted`, `anonymised`, `restore_window_closed`."""
    member = member_row(tx, args["member_id"])
    refuse_anonymised(member)
    return MEMBERS.bring_back(tx, member["id"], now)


_EDIT = ("member.edit.all",)
_STATUS: dict[str, Field] = {"status": Choice(STATUSES, required=True)}

VERBS = (
    Verb(
        "member.set_status",
        set_status,
        True,
        "Change a member's status, with the dates and roles that go with it.",
        _EDIT,
        {"member_id": Text(required=True), **_STATUS, "leave_date": DayOrInstant()},
    ),
    Verb(
        "member.set_statuses",
        set_statuses,
        True,
        "Change the status of several members, all or none.",
        _EDIT,
        {"member_ids": ListOf(Text(), required=True, minimum=1), **_STATUS},
    ),
    Verb(
        "member.restore",
        restore,
        True,
        "Bring a member back from the trash.",
        ("member.delete",),
        {"member_id": Text(required=True)},
    ),
)
