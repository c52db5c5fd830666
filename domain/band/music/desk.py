"""The library desk: parts picked up, returned, lost; what is out and overdue; what each player has to play."""

from typing import Any, LiteralString

from db.clock import Moment
from db.errors import Conflict, Invalid
from db.fields import Choice, Field, Flag, Instant, ListOf, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.music.assignments import assignment_row
from domain.band.music.distribution import part_number
from domain.band.music.handing_out import STATUSES, Step, after, starts_of
from domain.band.narrowing import Conditions, narrowed
from domain.band.people.members import own_member
from domain.band.recently import changes_since
from domain.charter import Args, CharterJob, Verb

_MOST = 100
_WEEK_S = 7 * 86400


def _next_status(assignment: Row, step: Step) -> str:
    """The status after the step. Raises Conflict `invalid_transition`."""
    status = after(assignment["status"], step)
    if status is None:
        wanted = " or ".join(starts_of(step))
        raise Conflict(f"the part is {assignment['status']}, wanted {wanted}", code="invalid_transition")
    return status


_PICK_UP = """
UPDATE music_assignments SET status = 'PICKED_UP', picked_up_at = :now WHERE id = :id AND status = 'ASSIGNED'
"""


def pick_up(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Conflict `invalid_transition`."""
    assignment = assignment_row(tx, args["assignment_id"])
    _next_status(assignment, "pick_up")
    tx.execute(_PICK_UP, id=assignment["id"], now=now.text)
    return {"id": assignment["id"]}


def pick_up_many(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many were picked up now; those in another state are passed over."""
    ids = dict.fromkeys(args["assignment_ids"])
    return {"count": sum(tx.execute(_PICK_UP, id=one, now=now.text) for one in ids)}


_RETURN = """
UPDATE music_assignments
   SET status = :status, returned_at = :now, condition = :condition,
       notes = CASE WHEN :notes IS NULL THEN notes WHEN notes IS NULL THEN :notes ELSE notes || char(10) || :notes END
 WHERE id = :id
"""


def give_back(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id and status: RETURNED, or DAMAGED in that condition. Raises NotFound, Conflict `invalid_transition`."""
    assignment = assignment_row(tx, args["assignment_id"])
    condition: str | None = args.get("condition")
    damaged = condition is not None and condition.casefold() == "damaged"
    status = _next_status(assignment, "damaged" if damaged else "return")
    tx.execute(_RETURN, id=assignment["id"], status=status, now=now.text, condition=condition, notes=args.get("notes"))
    return {"id": assignment["id"], "status": status}


_LOST = """
UPDATE music_assignments SET status = 'LOST', missing_since = :since, missing_notes = :notes WHERE id = :id
"""


def report_lost(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Conflict `invalid_transition`, Invalid for a moment in the future."""
    assignment = assignment_row(tx, args["assignment_id"])
    _next_status(assignment, "lost")
    since: str = args.get("reported_at") or now.text
    if since > now.text:
        raise Invalid(f"reported_at: {since} is in the future", field="reported_at")
    tx.execute(_LOST, id=assignment["id"], since=since, notes=args["notes"])
    return {"id": assignment["id"]}


_OVERDUE = """
UPDATE music_assignments SET status = 'OVERDUE'
 WHERE status IN ('ASSIGNED', 'PICKED_UP') AND due_date < :now
"""


def mark_overdue(tx: WriteTx, now: Moment) -> int:
    """Mark what should be back by now; how many."""
    return tx.execute(_OVERDUE, now=now.text)


_LIST: LiteralString = """
SELECT a.id, a.piece_id, p.title, a.member_id, m.first_name, m.last_name, a.part_name, a.status, a.priority,
       a.due_date, a.assigned_at, a.picked_up_at, a.returned_at, a.condition, a.missing_since, a.notes
  FROM music_assignments AS a JOIN music_pieces AS p ON p.id = a.piece_id JOIN members AS m ON m.id = a.member_id
 WHERE 1
"""
_NARROWED: Conditions = {
    "status": "a.status = :status",
    "piece_id": "a.piece_id = :piece_id",
    "member_id": "a.member_id = :member_id",
    "overdue": "(a.status = 'OVERDUE' OR (a.status IN ('ASSIGNED', 'PICKED_UP') AND a.due_date < :now))",
    "q": """
       instr(casefold(p.title || ' ' || m.first_name || ' ' || m.last_name || ' ' || coalesce(a.part_name, '')),
             casefold(:q))
""",
}
_NEWEST: LiteralString = " ORDER BY a.assigned_at DESC, a.id DESC LIMIT :most"


def list_assignments(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The newest assignments that match, at most 100."""
    conditions, values = narrowed(args, _NARROWED)
    return [dict(row) for row in tx.rows(_LIST + conditions + _NEWEST, now=now.text, most=_MOST, **values)]


_COUNTS = "SELECT status, count(*) AS n FROM music_assignments GROUP BY status"
_LATE = """
SELECT count(*) FROM music_assignments
 WHERE status = 'OVERDUE' OR (status IN ('ASSIGNED', 'PICKED_UP') AND due_date < :now)
"""
_TROUBLE = """
SELECT a.id, a.status, a.part_name, p.title, m.first_name, m.last_name, a.due_date
  FROM music_assignments AS a JOIN music_pieces AS p ON p.id = a.piece_id JOIN members AS m ON m.id = a.member_id
 WHERE a.status IN ('OVERDUE', 'LOST', 'DAMAGED') ORDER BY a.assigned_at DESC, a.id DESC LIMIT 10
"""


def desk(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many parts are in which state, what is late, what happened this week, the ten newest troubles."""
    counts = dict.fromkeys(STATUSES, 0) | {row["status"]: row["n"] for row in tx.rows(_COUNTS)}
    return {
        "by_status": counts,
        "overdue": tx.value(_LATE, now=now.text),
        "lost": counts["LOST"],
        "waiting_for_pick_up": counts["ASSIGNED"],
        "waiting_for_return": counts["PICKED_UP"] + counts["OVERDUE"],
        "changes_of_7_days": changes_since(tx, now.later(seconds=-_WEEK_S), "music_assignments"),
        "trouble": [dict(row) for row in tx.rows(_TROUBLE)],
    }


_MINE = """
SELECT a.id, a.piece_id, p.title, a.part_name, a.part_id, a.status, a.priority, a.due_date, a.assigned_at, a.notes
  FROM music_assignments AS a JOIN music_pieces AS p ON p.id = a.piece_id AND p.deleted_at IS NULL
 WHERE a.member_id = :member_id AND a.status IN ('ASSIGNED', 'PICKED_UP', 'OVERDUE')
 ORDER BY a.priority IS NULL, a.priority, a.due_date IS NULL, a.due_date, a.assigned_at, a.id
"""
_ALSO_PLAYABLE = """
SELECT q.id, q.part_name, q.file_id, p.is_primary, i.sort_order
  FROM music_parts AS q JOIN member_instruments AS p ON p.instrument_id = q.instrument_id AND p.member_id = :member_id
  JOIN instruments AS i ON i.id = q.instrument_id
 WHERE q.piece_id = :piece_id AND q.id IS NOT :part_id
"""
_PART = "SELECT id, part_name, file_id FROM music_parts WHERE id = :id"


def _also_playable(tx: ReadTx, member_id: str, assignment: Row) -> list[dict[str, Any]]:
    """The other parts of the piece that the member's instruments play, the primary instrument's first."""
    rows = tx.rows(_ALSO_PLAYABLE, member_id=member_id, piece_id=assignment["piece_id"], part_id=assignment["part_id"])
    rows.sort(
        key=lambda row: (not row["is_primary"], row["sort_order"], part_number(row["part_name"]), row["part_name"])
    )
    return [{name: row[name] for name in ("id", "part_name", "file_id")} for row in rows]


def my_music(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """What the caller has to play, the most pressing first: the part assigned, and others of the own instruments."""
    member_id, answers = own_member(tx, principal), list[dict[str, Any]]()
    for row in tx.rows(_MINE, member_id=member_id):
        part = None if row["part_id"] is None else tx.row(_PART, id=row["part_id"])
        others = _also_playable(tx, member_id, row)
        answers.append(dict(row) | {"assigned_part": part and dict(part), "instrument_parts": others})
    return answers


_ASSIGN, _VIEW = ("music.assign",), ("music.view.all",)
_ONE: dict[str, Field] = {"assignment_id": Text(required=True)}
_MANY: dict[str, Field] = {"assignment_ids": ListOf(Text(), required=True, minimum=1)}

VERBS = (
    Verb("assignment.pick_up", pick_up, True, "Note that a part was picked up.", _ASSIGN, _ONE),
    Verb("assignment.pick_up_many", pick_up_many, True, "Note that several parts were picked up.", _ASSIGN, _MANY),
    Verb(
        "assignment.return",
        give_back,
        True,
        "Note that a part came back, and in what condition.",
        _ASSIGN,
        {**_ONE, "condition": Text(max_characters=100), "notes": Text(max_characters=1000)},
    ),
    Verb(
        "assignment.report_lost",
        report_lost,
        True,
        "Note that a part is missing, and what is known.",
        _ASSIGN,
        {**_ONE, "notes": Text(required=True, max_characters=1000), "reported_at": Instant()},
    ),
    Verb(
        "assignment.list",
        list_assignments,
        False,
        "The newest assignments that match.",
        _VIEW,
        {
            "status": Choice(STATUSES),
            "piece_id": Text(),
            "member_id": Text(),
            "overdue": Flag(),
            "q": Text(),
        },
    ),
    Verb("music.desk", desk, False, "What is out, late, lost and waiting at the library desk.", _VIEW),
    Verb("me.music", my_music, False, "What one has to play, the most pressing first.", ("music.view.assigned",)),
)
JOBS = (CharterJob("assignments.overdue", 86400, mark_overdue, "Mark parts that should be back by now as overdue."),)
