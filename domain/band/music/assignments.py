"""Assigning music: whom a part is given to, one by one or a whole section, and taking it back. Knows rows and rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Invalid, NotFound
from db.fields import Field, Integer, ListOf, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.days import DUE
from domain.band.music.pieces import piece_row
from domain.band.notices import notify
from domain.charter import Args, Verb
from domain.partial_update import changeable, changes

_GONE = ("INACTIVE", "ALUMNI")


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every assignment of one call. due_date: 24 characters of UTC; by: the user who assigns."""

    piece: Row
    due_date: str | None
    priority: int | None
    notes: str | None
    by: str | None


def terms_of(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> Terms:
    """The piece and the terms. Raises NotFound, Conflict `piece_unavailable`, Invalid for a past due date."""
    piece = piece_row(tx, args["piece_id"])
    if piece["is_archived"] or piece["deleted_at"] is not None:
        state = "archived" if piece["is_archived"] else "in the trash"
        raise Conflict(f"{piece['title']} is {state}", code="piece_unavailable", field="piece_id")
    due: str | None = args.get("due_date")
    if due is not None and due < now.text:
        raise Invalid(f"due_date: {due} has passed", field="due_date")
    return Terms(piece, due, args.get("priority"), args.get("notes"), principal.id)


_ADD = """
INSERT INTO music_assignments (id, piece_id, member_id, part_name, part_id, priority, notes, assigned_at, assigned_by,
                               due_date)
VALUES (:id, :piece_id, :member_id, :part_name, :part_id, :priority, :notes, :now, :by, :due_date)
    ON CONFLICT (piece_id, member_id, coalesce(part_name, '')) WHERE status IN ('ASSIGNED', 'PICKED_UP', 'OVERDUE')
    DO NOTHING
"""
_USER_OF = """
SELECT u.id FROM members AS m JOIN users AS u ON u.id = m.user_id AND u.deleted_at IS NULL WHERE m.id = :id
"""


def give(
    tx: WriteTx, terms: Terms, member_id: str, part_id: str | None, part_name: str | None, now: Moment
) -> str | None:
    """The id of the new assignment, whose member is notified; None when the member has this part out already."""
    assignment_id = now.new_id()
    made = tx.execute(
        _ADD,
        id=assignment_id,
        piece_id=terms.piece["id"],
        member_id=member_id,
        part_name=part_name,
        part_id=part_id,
        priority=terms.priority,
        notes=terms.notes,
        now=now.text,
        by=terms.by,
        due_date=terms.due_date,
    )
    if not made:
        return None
    user_id = tx.value(_USER_OF, id=member_id)
    if user_id is not None:
        title: str = terms.piece["title"]
        said = [title, part_name, terms.due_date and f"due {terms.due_date[:10]}"]
        notify(
            tx,
            user_id,
            "MUSIC_ASSIGNMENT",
            "New music",
            ", ".join(text for text in said if text),
            dedupe_key=f"asg:{assignment_id}",
            now=now,
        )
    return assignment_id


def assign(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many assignments were made, and the members who had it already. Raises NotFound, Invalid, Conflict."""
    terms = terms_of(tx, principal, args, now)
    part_id, part_name = _named_part(tx, args)
    member_ids = list(dict.fromkeys(args["member_ids"]))
    for member_id in member_ids:
        _require_assignable(tx, member_id)
    return _give_all(tx, terms, member_ids, part_id, part_name, now)


def _give_all(
    tx: WriteTx, terms: Terms, member_ids: Iterable[str], part_id: str | None, part_name: str | None, now: Moment
) -> dict[str, Any]:
    created, skipped = 0, list[str]()
    for member_id in member_ids:
        if give(tx, terms, member_id, part_id, part_name, now) is None:
            skipped.append(member_id)
        else:
            created += 1
    return {"created": created, "skipped": skipped}


_PART = """
SELECT id, part_name FROM music_parts
 WHERE piece_id = :piece_id AND (:part_id IS NULL OR id = :part_id)
   AND (:part_name IS NULL OR part_name = :part_name COLLATE NOCASE)
"""


def _named_part(tx: ReadTx, args: Args) -> tuple[str | None, str | None]:
    """Id and name of the part that the call names by either; (None, None) when it means the whole piece."""
    part_id, part_name = args.get("part_id"), args.get("part_name")
    if part_id is None and part_name is None:
        return None, None
    found = tx.row(_PART, piece_id=args["piece_id"], part_id=part_id, part_name=part_name)
    if found is None:
        field = "part_name" if part_name is not None else "part_id"
        raise Invalid(f"{field}: the piece has no such part, or the two name different ones", field=field)
    return found["id"], found["part_name"]


def _require_assignable(tx: ReadTx, member_id: str) -> None:
    """Raise Invalid for a member who is unknown, deleted, inactive or gone."""
    status = tx.value("SELECT status FROM members WHERE id = :id AND deleted_at IS NULL", id=member_id)
    if status is None:
        raise Invalid(f"member_ids: {member_id!r} is unknown", field="member_ids")
    if status in _GONE:
        raise Invalid(f"member_ids: {member_id!r} is {status} and gets no music", field="member_ids")


_OF_SECTIONS = """
SELECT DISTINCT m.id, m.last_name, m.first_name
  FROM members AS m JOIN member_sections AS s ON s.member_id = m.id
 WHERE m.status = 'ACTIVE' AND m.deleted_at IS NULL AND s.section_id = :section_id
"""


def assign_sections(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """As `music.assign`, for the active members of the sections, each once. Raises Invalid `no_active_members`."""
    terms = terms_of(tx, principal, args, now)
    part_id, part_name = _named_part(tx, args)
    member_ids: dict[str, None] = {}
    for section_id in args["section_ids"]:
        member_ids |= dict.fromkeys(row["id"] for row in tx.rows(_OF_SECTIONS, section_id=section_id))
    if not member_ids:
        raise Invalid("section_ids: nobody in these sections is active", code="no_active_members", field="section_ids")
    return _give_all(tx, terms, member_ids, part_id, part_name, now)


def assignment_row(tx: ReadTx, assignment_id: str) -> Row:
    """The assignment. Raises NotFound."""
    found = tx.row("SELECT * FROM music_assignments WHERE id = :id", id=assignment_id)
    if found is None:
        raise NotFound(f"assignment {assignment_id}: unknown", field="assignment_id")
    return found


_CHANGEABLE: dict[str, Field] = {
    "priority": Integer(minimum=1),
    "notes": Text(max_characters=4000),
    "due_date": DUE,
}
_SET = "UPDATE music_assignments SET priority = :priority, notes = :notes, due_date = :due_date WHERE id = :id"


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound."""
    assignment = assignment_row(tx, args["assignment_id"])
    given = changes(args, _CHANGEABLE)
    tx.execute(_SET, id=assignment["id"], **{name: given.get(name, assignment[name]) for name in _CHANGEABLE})
    return {"id": assignment["id"]}


def unassign(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. The member's access to the piece ends at once, unless by another part. Raises NotFound."""
    assignment = assignment_row(tx, args["assignment_id"])
    tx.execute("DELETE FROM music_assignments WHERE id = :id", id=assignment["id"])
    return {"id": assignment["id"]}


_OF_MEMBER = "DELETE FROM music_assignments WHERE piece_id = :piece_id AND member_id = :member_id"


def unassign_member(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many parts of the piece the member had. Raises NotFound when there was none."""
    count = tx.execute(_OF_MEMBER, piece_id=args["piece_id"], member_id=args["member_id"])
    if not count:
        raise NotFound("the member has no part of this piece", field="member_id")
    return {"count": count}


_ASSIGN = ("music.assign",)
_PIECE: dict[str, Field] = {"piece_id": Text(required=True)}
TERMS: dict[str, Field] = {"due_date": DUE, "priority": Integer(minimum=1), "notes": Text(max_characters=4000)}
_PART_NAMED: dict[str, Field] = {"part_id": Text(), "part_name": Text(max_characters=100)}
_ONE: dict[str, Field] = {"assignment_id": Text(required=True)}

VERBS = (
    Verb(
        "music.assign",
        assign,
        True,
        "Give members a part of a piece, or the piece.",
        _ASSIGN,
        {**_PIECE, "member_ids": ListOf(Text(), required=True, minimum=1), **_PART_NAMED, **TERMS},
    ),
    Verb(
        "music.assign_sections",
        assign_sections,
        True,
        "Give every active member of some sections a part of a piece, or the piece.",
        _ASSIGN,
        {**_PIECE, "section_ids": ListOf(Text(), required=True, minimum=1), **_PART_NAMED, **TERMS},
    ),
    Verb(
        "assignment.update",
        update,
        True,
        "Change when a part is due, its priority or the notes.",
        _ASSIGN,
        {**_ONE, **changeable(_CHANGEABLE)},
    ),
    Verb("assignment.remove", unassign, True, "Take an assignment back.", _ASSIGN, _ONE),
    Verb(
        "music.unassign_member",
        unassign_member,
        True,
        "Take every part of a piece from a member.",
        _ASSIGN,
        {**_PIECE, "member_id": Text(required=True)},
    ),
)
