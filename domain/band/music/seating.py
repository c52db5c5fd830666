"""Assigning a piece to the whole band by instrument. Reads parts and players; who gets what is `distribution`."""

import json
from typing import Any

from db.clock import Moment
from db.errors import NotFound
from db.fields import Field, Flag, ListOf, Text
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.band.music.assignments import TERMS, Terms, give, terms_of
from domain.band.music.distribution import Player, distribute
from domain.band.music.parts import as_part, part_rows
from domain.charter import Args, Verb

_PLAYERS = """
SELECT m.id, m.first_name, m.last_name, m.join_date,
       EXISTS (SELECT 1 FROM member_sections WHERE member_id = m.id AND is_leader = 1) AS leads,
       EXISTS (SELECT 1 FROM music_assignments
                WHERE piece_id = :piece_id AND member_id = m.id
                  AND status IN ('ASSIGNED', 'PICKED_UP', 'OVERDUE')) AS has_one,
       (SELECT group_concat(instrument_id, ' ') FROM (
            SELECT p.instrument_id FROM member_instruments AS p JOIN instruments AS i ON i.id = p.instrument_id
             WHERE p.member_id = m.id ORDER BY p.is_primary DESC, i.sort_order, i.name)) AS instruments
  FROM members AS m
 WHERE m.status = 'ACTIVE' AND m.deleted_at IS NULL
   AND (:sections IS NULL OR EXISTS (
        SELECT 1 FROM member_sections
         WHERE member_id = m.id AND section_id IN (SELECT value FROM json_each(:sections))))
 ORDER BY m.id
"""


def seat_band(
    tx: WriteTx, terms: Terms, section_ids: list[str] | None, *, include_optional: bool, now: Moment
) -> dict[str, Any]:
    """Give every player of the piece a part.

    `{"created": how many, "skipped": members who have one out, "without_part": members for whom there is none,
    "uncovered": names of parts nobody plays}`.
    """
    piece_id: str = terms.piece["id"]
    sections = None if section_ids is None else json.dumps(section_ids)
    rows = tx.rows(_PLAYERS, piece_id=piece_id, sections=sections)
    players = [
        Player(
            row["id"],
            tuple((row["instruments"] or "").split()),
            bool(row["leads"]),
            row["join_date"],
            row["last_name"],
            row["first_name"],
        )
        for row in rows
        if not row["has_one"]
    ]
    parts = [as_part(row) for row in part_rows(tx, piece_id)]
    shared = distribute(parts, players, include_optional=include_optional)
    for member_id, part in shared.parts.items():
        give(tx, terms, member_id, part.id, part.name, now)
    held = _held_parts(tx, piece_id)
    return {
        "created": len(shared.parts),
        "skipped": [row["id"] for row in rows if row["has_one"]],
        "without_part": list(shared.without_part),
        "uncovered": [part.name for part in shared.uncovered if part.id not in held],
    }


_HELD = """
SELECT DISTINCT part_id FROM music_assignments
 WHERE piece_id = :piece_id AND part_id IS NOT NULL AND status IN ('ASSIGNED', 'PICKED_UP', 'OVERDUE')
"""


def _held_parts(tx: ReadTx, piece_id: str) -> frozenset[str]:
    """The parts of the piece that somebody has out, from this call or before."""
    return frozenset(row["part_id"] for row in tx.rows(_HELD, piece_id=piece_id))


def assign_by_instrument(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """What `seat_band` gives. Raises NotFound, Conflict `piece_unavailable`, Invalid for a past due date."""
    terms = terms_of(tx, principal, args, now)
    optional = bool(args.get("include_optional"))
    return seat_band(tx, terms, args.get("section_ids"), include_optional=optional, now=now)


_PROGRAMME = """
SELECT m.piece_id FROM event_music AS m JOIN music_pieces AS p ON p.id = m.piece_id
 WHERE m.event_id = :event_id AND p.deleted_at IS NULL AND p.is_archived = 0 ORDER BY m.sort_order, m.id
"""


def assign_programme(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """What `seat_band` gives, with `piece_id`, for each piece of the programme; due when the event starts.

    Raises NotFound, Invalid when that moment, or the given one, has passed.
    """
    event = tx.row("SELECT start_time FROM events WHERE id = :id AND deleted_at IS NULL", id=args["event_id"])
    if event is None:
        raise NotFound(f"event {args['event_id']}: unknown", field="event_id")
    wanted = {"due_date": event["start_time"]} | {name: args[name] for name in TERMS if args.get(name) is not None}
    optional, answers = bool(args.get("include_optional")), list[dict[str, Any]]()
    for row in tx.rows(_PROGRAMME, event_id=args["event_id"]):
        terms = terms_of(tx, principal, {"piece_id": row["piece_id"], **wanted}, now)
        seated = seat_band(tx, terms, args.get("section_ids"), include_optional=optional, now=now)
        answers.append({"piece_id": row["piece_id"], **seated})
    return answers


_ASSIGN = ("music.assign",)
_WHOM: dict[str, Field] = {"section_ids": ListOf(Text()), "include_optional": Flag(), **TERMS}

VERBS = (
    Verb(
        "music.assign_by_instrument",
        assign_by_instrument,
        True,
        "Share the parts of a piece out among those who play its instruments.",
        _ASSIGN,
        {"piece_id": Text(required=True), **_WHOM},
    ),
    Verb(
        "event.assign_programme",
        assign_programme,
        True,
        "Share out the parts of every piece of an event's programme.",
        _ASSIGN,
        {"event_id": Text(required=True), **_WHOM},
    ),
)
