"""The roster matrix: members by events, with what was planned and recorded. Knows one choir and a span of time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.errors import Invalid
from db.fields import Field, Instant, Text
from db.principal import Principal
from db.transaction import ReadTx, Row
from domain.attendance import has_started, percent
from domain.charter import Args, Verb
from domain.choir.event.participation import PLANNED, Word, require_collective, word_of
from domain.choir.season.seasons import season_after, season_here, season_of

_EVENTS = """
SELECT id, title, event_type, starts_at, ends_at FROM events
 WHERE org_id = :org_id AND starts_at >= :start
   AND (:end IS NULL OR starts_at <= :end) AND (:until IS NULL OR starts_at < :until)
 ORDER BY starts_at, id
"""
_MEMBERS = """
SELECT m.id, coalesce(o.nickname, m.nickname, m.name) AS display_name, m.email_id IS NOT NULL AS registered,
       s.id AS section_id, s.name AS section_name, s.abbreviation, s.is_active AS section_active
  FROM member_organizations AS o
  JOIN members AS m ON m.id = o.member_id
  LEFT JOIN sections AS s ON s.id = (
       SELECT p.section_id FROM member_sections AS p JOIN sections AS h ON h.id = p.section_id
        WHERE p.member_id = m.id AND p.is_primary = 1 AND h.org_id = o.org_id)
 WHERE o.org_id = :org_id AND (:section_id IS NULL OR s.id = :section_id)
 ORDER BY s.id IS NULL, s.display_order, casefold(s.name), casefold(coalesce(o.nickname, m.nickname, m.name)), m.id
"""
# The events are few and come from the index above; the members are checked by the caller.
_CELLS = """
SELECT p.member_id, p.event_id, p.planned_status, p.actual_status, p.recorded_at
  FROM events AS e JOIN participation AS p ON p.event_id = e.id
 WHERE e.org_id = :org_id AND e.starts_at >= :start
   AND (:end IS NULL OR e.starts_at <= :end) AND (:until IS NULL OR e.starts_at < :until)
"""
_COUNTED = ("present", "late", "absent")


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` on; to `end` and no later, or to the moment before `until`. None: open."""

    start: str
    end: str | None = None
    until: str | None = None


def span_of(tx: ReadTx, org_id: str, args: Args, now: Moment) -> Span:
    """The span asked for: two moments, a season, else the season of today, else everything.

    Raises Invalid for half a span or two, NotFound for the season.
    """
    start, end, season_id = args.get("start"), args.get("end"), args.get("season_id")
    if start is None and end is None:
        season = season_here(tx, org_id, season_id) if season_id else season_of(tx, org_id, now.text[:10])
        newer = season_after(tx, season) if season else None
        return Span(season["start_date"] if season else "", until=newer["start_date"] if newer else None)
    if season_id is not None:
        raise Invalid("got a season and moments, wanted one of them", field="season_id")
    if start is None or end is None:
        missing = "start" if start is None else "end"
        raise Invalid(f"{missing}: required; start and end come together", field=missing)
    return Span(start, end=end)


def view(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """`events` (columns), `members` (rows, each with one cell for every event), `average_attendance` and
    `section_stats`. Raises NotFound, Invalid.
    """
    org_id = principal.scope
    require_collective(tx, org_id)
    span = span_of(tx, org_id, args, now)
    during = {"org_id": org_id, "start": span.start, "end": span.end, "until": span.until}
    events = tx.rows(_EVENTS, **during)
    members = tx.rows(_MEMBERS, org_id=org_id, section_id=args.get("section_id"))
    records = {(row["member_id"], row["event_id"]): row for row in tx.rows(_CELLS, **during)}
    word = word_of(tx, principal)
    columns = [(str(event["id"]), has_started(event["starts_at"], now.text)) for event in events]
    rows = [_line(member, columns, records, word) for member in members]
    return {
        "events": [dict(event) for event in events],
        "members": rows,
        "average_attendance": average_attendance(cell["actual"] for row in rows for cell in row["cells"]),
        "section_stats": section_stats(members, rows),
    }


def _line(
    member: Row, columns: Sequence[tuple[str, bool]], records: Mapping[tuple[str, str], Row], word: Word
) -> dict[str, Any]:
    """One member with a cell for every column (event id, whether it started), empty where nothing is recorded."""
    member_id: str = member["id"]
    # The same for all events that have started, and for all that have not.
    editable = {
        started: {
            "planned_editable": word.intention(member_id, started=started) == "allowed",
            "actual_editable": word.presence(member_id, started=started) == "allowed",
        }
        for started in (False, True)
    }
    cells: list[dict[str, Any]] = []
    for event_id, started in columns:
        record = records.get((member_id, event_id))
        cell = {
            "event_id": event_id,
            "planned": record and record["planned_status"],
            "actual": record and record["actual_status"],
            "recorded_at": record and record["recorded_at"],
        }
        cells.append(cell | editable[started])
    section = {"id": member["section_id"], "name": member["section_name"], "abbreviation": member["abbreviation"]}
    return {
        "member_id": member_id,
        "display_name": member["display_name"],
        "registered": bool(member["registered"]),
        "section": section if member["section_id"] else None,
        "cells": cells,
    }


def average_attendance(recorded: Iterable[str | None]) -> int:
    """The share of `present` among what was recorded, in per cent, halves up; who came late counts as recorded only."""
    counted = [actual for actual in recorded if actual in _COUNTED]
    return percent(counted.count("present"), len(counted))


def section_stats(members: Sequence[Row], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A line for each active section that is somebody's primary one: people, and their answers over all events."""
    lines: dict[str, dict[str, Any]] = {}
    for member, row in zip(members, rows, strict=True):
        if not member["section_active"]:
            continue
        empty = {"section": row["section"], "total": 0, **dict.fromkeys((*PLANNED, "responded"), 0)}
        line = lines.setdefault(member["section_id"], empty)
        line["total"] += 1
        for planned in filter(None, (cell["planned"] for cell in row["cells"])):
            line[planned] += 1
            line["responded"] += 1
    return list(lines.values())


_INPUT: dict[str, Field] = {"start": Instant(), "end": Instant(), "season_id": Text(), "section_id": Text()}

VERBS = (
    Verb(
        "roster.view",
        view,
        False,
        "Members by events with RSVP and attendance, of a span, a season or today's season.",
        ("member",),
        _INPUT,
    ),
)
