"""Attendance in figures: of an event, a member, a section, a time. Counts rows that exist; knows no missing member."""

from collections.abc import Mapping
from typing import Any, LiteralString

from db.clock import Moment
from db.errors import Forbidden
from db.fields import Choice, Field, Instant, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, SqlValue, WriteTx
from domain.attendance import percent
from domain.band.calendar.events import TYPES, live_event
from domain.band.calendar.marking import STATUSES
from domain.band.narrowing import Conditions, narrowed
from domain.band.people.members import live_member, own_member
from domain.charter import Args, Verb

# Cancelled and deleted events count nowhere.
_ALL: LiteralString = """
  FROM attendance AS a
  JOIN events AS e ON e.id = a.event_id AND e.deleted_at IS NULL AND e.is_cancelled = 0
  JOIN members AS m ON m.id = a.member_id
 WHERE 1
"""
_NARROWED: Conditions = {
    "from": "e.start_time >= :from",
    "to": "e.start_time <= :to",
    "event_type": "e.type = :event_type",
    "event_id": "a.event_id = :event_id",
    "member_id": "a.member_id = :member_id",
    "status": "+a.status = :status",
    "section_id": "m.id IN (SELECT member_id FROM member_sections WHERE section_id = :section_id)",
}
_SUMS: LiteralString = """
       count(*) AS total, sum(a.status = 'PRESENT') AS present, sum(a.status = 'ABSENT') AS absent,
       sum(a.status = 'EXCUSED') AS excused, sum(a.status = 'LATE') AS late,
       sum(a.status = 'LEFT_EARLY') AS left_early
"""
FILTERS: dict[str, Field] = {
    "from": Instant(),
    "to": Instant(),
    "event_type": Choice(TYPES),
    "event_id": Text(),
    "section_id": Text(),
    "member_id": Text(),
    "status": Choice(STATUSES),
}


def _counted(args: Mapping[str, Any]) -> tuple[LiteralString, dict[str, SqlValue]]:
    """From where the marks that match are read, and the values of the filters."""
    conditions, values = narrowed(args, _NARROWED)
    return _ALL + conditions, values


def figures(row: Row | None) -> dict[str, Any]:
    """The counts of a row of sums, and the share of those who were present."""
    counts = {name: (row[name] if row else 0) or 0 for name in
              ("total", "present", "absent", "excused", "late", "left_early")}  # fmt: skip
    return counts | {"attendance_rate": percent(counts["present"], counts["total"])}


def _of(tx: ReadTx, args: Mapping[str, Any]) -> dict[str, Any]:
    counted, values = _counted(args)
    return figures(tx.row(f"SELECT {_SUMS} {counted}", **values))


def overall(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Counts by status and the rate, for every mark that matches."""
    return _of(tx, args)


def of_event(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Counts by status and the rate of one event. Raises NotFound."""
    event = live_event(tx, args["event_id"])
    return {"event_id": event["id"], **_of(tx, {"event_id": event["id"]})}


def of_member(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Counts, the rate, and punctuality: present or late. One's own, or with report.view anybody's.

    Raises Forbidden `out_of_scope`, NotFound.
    """
    member_id: str = args.get("member_id") or own_member(tx, principal)
    if not principal.may("report.view") and member_id != own_member(tx, principal):
        raise Forbidden("these are somebody else's figures", code="out_of_scope", field="member_id")
    live_member(tx, member_id)
    counts = _of(tx, {**args, "member_id": member_id})
    on_time = percent(counts["present"] + counts["late"], counts["total"])
    return {"member_id": member_id, **counts, "punctuality_rate": on_time}


_MEMBERS_OF = """
SELECT s.id, s.name, (
    SELECT count(*) FROM member_sections AS p JOIN members AS m ON m.id = p.member_id
     WHERE p.section_id = s.id AND m.deleted_at IS NULL) AS member_count
  FROM sections AS s WHERE :section_id IS NULL OR s.id = :section_id ORDER BY s.name
"""


def by_section(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Counts and rate of each section by name, with how many sit in it; who sits in two counts in both."""
    answers = list[dict[str, Any]]()
    for section in tx.rows(_MEMBERS_OF, section_id=args.get("section_id")):
        counts = _of(tx, {**args, "section_id": section["id"]})
        answers.append({"section_id": section["id"], "name": section["name"],
                        "member_count": section["member_count"], **counts})  # fmt: skip
    return answers


_FIRST_SECTION: LiteralString = """
(SELECT s.name FROM member_sections AS p JOIN sections AS s ON s.id = p.section_id
  WHERE p.member_id = m.id ORDER BY s.sort_order, s.name LIMIT 1)
"""
_PLACE: LiteralString = "coalesce(e.location, (SELECT name FROM venues WHERE id = e.venue_id))"
_DETAILED: LiteralString = f"""
SELECT e.title AS "Event", e.type AS "Event Type", substr(e.start_time, 1, 10) AS "Event Date",
       {_PLACE} AS "Event Location", m.first_name AS "Member First Name", m.last_name AS "Member Last Name",
       personal_open('members.email', m.email) AS "Member Email", {_FIRST_SECTION} AS "Section",
       a.status AS "Status", a.notes AS "Notes", substr(a.marked_at, 1, 10) AS "Marked At"
"""
_BY_MARK: LiteralString = " ORDER BY e.start_time DESC, e.id, m.last_name, m.first_name, m.id"
_COUNTS_NAMED: LiteralString = """
       count(*) AS total, sum(a.status = 'PRESENT') AS "Present", sum(a.status = 'ABSENT') AS "Absent",
       sum(a.status = 'EXCUSED') AS "Excused", sum(a.status = 'LATE') AS "Late",
       sum(a.status = 'LEFT_EARLY') AS "Left Early"
"""
_OF_MEMBERS: LiteralString = f"""
SELECT m.first_name AS "First Name", m.last_name AS "Last Name", {_FIRST_SECTION} AS "Section", {_COUNTS_NAMED}
"""
_BY_MEMBER: LiteralString = " GROUP BY m.id ORDER BY m.last_name, m.first_name, m.id"
_OF_EVENTS: LiteralString = f"""
SELECT e.title AS "Event", e.type AS "Event Type", substr(e.start_time, 1, 10) AS "Event Date",
       {_PLACE} AS "Location", {_COUNTS_NAMED}
"""
_BY_EVENT: LiteralString = " GROUP BY e.id ORDER BY e.start_time DESC, e.id"
# How the column of counted rows is called in each table.
_TOTAL = {"member-summary": "Total Events", "event-summary": "Total Records"}
KINDS = ("detailed", "member-summary", "event-summary")


def _summary(row: Row, total: str) -> dict[str, Any]:
    """The row with its count under the wanted name, and the rate at the end."""
    named = {total if name == "total" else name: row[name] for name in row.keys()}  # noqa: SIM118
    return named | {"Attendance Rate (%)": percent(row["Present"], row["total"])}


def export(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Every mark that matches, or one row a member or an event, for a spreadsheet. Raises Forbidden.

    The audit log notes kind, filters and how many rows there were.
    """
    if not principal.may("attendance.view.all"):
        raise Forbidden("exporting attendance needs attendance.view.all besides report.export")
    kind: str = args.get("kind") or "detailed"
    counted, given = _counted(args)
    if kind == "detailed":
        rows = [dict(row) for row in tx.rows(_DETAILED + counted + _BY_MARK, **given)]
    else:
        columns, grouped = (_OF_MEMBERS, _BY_MEMBER) if kind == "member-summary" else (_OF_EVENTS, _BY_EVENT)
        rows = [_summary(row, _TOTAL[kind]) for row in tx.rows(columns + counted + grouped, **given)]
    tx.note("attendance", {"action": "EXPORT", "kind": kind, "filters": given, "rows": len(rows)})
    return rows


_VIEW = ("report.view",)
_TIMES = {name: FILTERS[name] for name in ("from", "to", "event_type")}

VERBS = (
    Verb("report.attendance", overall, False, "Attendance of everything that matches.", _VIEW, FILTERS),
    Verb("report.attendance_by_section", by_section, False, "Attendance of each section.", _VIEW, FILTERS),
    Verb(
        "report.event_attendance",
        of_event,
        False,
        "Attendance of one event.",
        _VIEW,
        {"event_id": Text(required=True)},
    ),
    Verb(
        "report.member_attendance",
        of_member,
        False,
        "Attendance and punctuality of one member, or of oneself.",
        ("report.view", "attendance.view.own"),
        {"member_id": Text(), **_TIMES},
    ),
    Verb(
        "attendance.export",
        export,
        True,
        "Attendance for a spreadsheet: marks, members or events.",
        ("report.export",),
        {"kind": Choice(KINDS), **FILTERS},
    ),
)
