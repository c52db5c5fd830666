"""What is played at an event, kept twice: each piece once, in the order of first appearance, and the playing order.

`event_music` has the pieces, `events.program_order` the order, in which a piece may come again as an encore. Every
change writes both.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Invalid, NotFound
from db.fields import Field, Integer, ListOf, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.calendar.events import live_event
from domain.band.objects import ObjectOf
from domain.charter import Args, Verb
from domain.ordered_list import permutation_fault

Item = Mapping[str, Any]
_ITEM: dict[str, Field] = {"piece_id": Text(required=True), "notes": Text(max_characters=1000)}


def first_appearances(items: Sequence[Item]) -> list[Item]:
    """Each piece once, where it comes first."""
    seen: dict[str, Item] = {}
    for item in items:
        seen.setdefault(item["piece_id"], item)
    return list(seen.values())


_LISTED = "SELECT id, piece_id, notes FROM event_music WHERE event_id = :id ORDER BY sort_order, id"


def playing_order(tx: ReadTx, event: Row) -> list[dict[str, Any]]:
    """The programme as it is played, as `[{"piece_id", "notes"}]`."""
    if event["program_order"] is not None:
        order: list[dict[str, Any]] = json.loads(event["program_order"])
        return order
    return [{"piece_id": row["piece_id"], "notes": row["notes"]} for row in tx.rows(_LISTED, id=event["id"])]


_WRITE_ORDER = "UPDATE events SET program_order = :order, updated_at = :now WHERE id = :id"
_WRITE_PIECE = """
INSERT INTO event_music (id, event_id, piece_id, sort_order, notes)
VALUES (:id, :event_id, :piece_id, :place, :notes)
    ON CONFLICT (event_id, piece_id) DO UPDATE SET sort_order = excluded.sort_order, notes = excluded.notes
 WHERE sort_order IS NOT excluded.sort_order OR notes IS NOT excluded.notes
"""
_TAKE_MISSING = """
DELETE FROM event_music
 WHERE event_id = :id AND piece_id NOT IN (SELECT value ->> 'piece_id' FROM json_each(:order))
"""


def write_programme(tx: WriteTx, event_id: str, items: Sequence[Item], now: Moment) -> None:
    """Make this the programme, in both places; rows of pieces that stay keep their ids."""
    order = json.dumps([{"piece_id": item["piece_id"], "notes": item["notes"]} for item in items], ensure_ascii=False)
    tx.execute(_WRITE_ORDER, id=event_id, order=order, now=now.text)
    tx.execute(_TAKE_MISSING, id=event_id, order=order)
    for place, item in enumerate(first_appearances(items)):
        tx.execute(
            _WRITE_PIECE,
            id=now.new_id(),
            event_id=event_id,
            piece_id=item["piece_id"],
            place=place,
            notes=item["notes"],
        )


def _require_piece(tx: ReadTx, piece_id: str) -> None:
    if tx.value("SELECT 1 FROM music_pieces WHERE id = :id AND deleted_at IS NULL", id=piece_id) is None:
        raise Invalid(f"piece_id: {piece_id!r} is unknown", field="piece_id")


_ROW_OF = "SELECT id FROM event_music WHERE event_id = :event_id AND piece_id = :piece_id"


def add(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id of the entry, last or at `sort_order`. Raises NotFound, Invalid, Conflict `already_in_programme`."""
    event, piece_id = live_event(tx, args["event_id"]), args["piece_id"]
    _require_piece(tx, piece_id)
    items = playing_order(tx, event)
    if any(item["piece_id"] == piece_id for item in items):
        raise Conflict("the piece is in the programme", code="already_in_programme", field="piece_id")
    place: int | None = args.get("sort_order")
    items.insert(len(items) if place is None else place, {"piece_id": piece_id, "notes": args.get("notes")})
    write_programme(tx, event["id"], items, now)
    return {"id": tx.value(_ROW_OF, event_id=event["id"], piece_id=piece_id)}


def remove(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The entry's id; the piece is gone from the playing order wherever it came. Raises NotFound."""
    event = live_event(tx, args["event_id"])
    row = tx.row(
        "SELECT piece_id FROM event_music WHERE id = :id AND event_id = :event_id",
        id=args["event_music_id"],
        event_id=event["id"],
    )
    if row is None:
        raise NotFound(f"entry {args['event_music_id']}: not in this programme", field="event_music_id")
    items = [item for item in playing_order(tx, event) if item["piece_id"] != row["piece_id"]]
    write_programme(tx, event["id"], items, now)
    return {"id": args["event_music_id"]}


def reorder(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many entries. The order is of the entries, each once; encores end. Raises NotFound, Invalid."""
    event = live_event(tx, args["event_id"])
    rows = {row["id"]: row for row in tx.rows(_LISTED, id=event["id"])}
    fault = permutation_fault(args["ids"], rows, "this programme")
    if fault is not None:
        raise Invalid(f"ids: {fault}", field="ids")
    ordered = [rows[one] for one in args["ids"]]
    items = [{"piece_id": row["piece_id"], "notes": row["notes"]} for row in ordered]
    write_programme(tx, event["id"], items, now)
    return {"count": len(items)}


def replace(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Entries, places in the playing order, seconds. A piece may come again. Raises NotFound, Invalid."""
    event = live_event(tx, args["event_id"])
    for item in args["items"]:
        _require_piece(tx, item["piece_id"])
    write_programme(tx, event["id"], [{"notes": None, **item} for item in args["items"]], now)
    return programme(tx, live_event(tx, event["id"]))


_PIECE = """
SELECT p.title, p.duration, c.full_name AS composer, a.full_name AS arranger
  FROM music_pieces AS p LEFT JOIN persons AS c ON c.id = p.composer_id LEFT JOIN persons AS a ON a.id = p.arranger_id
 WHERE p.id = :id
"""


def programme(tx: ReadTx, event: Row) -> dict[str, Any]:
    """`{"items", "total_seconds", "unknown_durations"}`: the playing order with titles, and how long it takes.

    A piece without a duration counts nothing and is counted as unknown.
    """
    items, seconds, unknown = list[dict[str, Any]](), 0, 0
    for item in playing_order(tx, event):
        piece = tx.row(_PIECE, id=item["piece_id"])
        if piece is None:
            continue
        seconds += piece["duration"] or 0
        unknown += piece["duration"] is None
        items.append({**item, **dict(piece)})
    return {"items": items, "total_seconds": seconds, "unknown_durations": unknown}


_EDIT = ("event.edit",)
_EVENT: dict[str, Field] = {"event_id": Text(required=True)}

VERBS = (
    Verb(
        "programme.add",
        add,
        True,
        "Add a piece to an event's programme.",
        _EDIT,
        {**_EVENT, **_ITEM, "sort_order": Integer(minimum=0)},
    ),
    Verb(
        "programme.remove",
        remove,
        True,
        "Take a piece out of an event's programme.",
        _EDIT,
        {**_EVENT, "event_music_id": Text(required=True)},
    ),
    Verb(
        "programme.reorder",
        reorder,
        True,
        "Put the pieces of a programme in order.",
        _EDIT,
        {**_EVENT, "ids": ListOf(Text(), required=True)},
    ),
    Verb(
        "programme.replace",
        replace,
        True,
        "Write an event's whole programme; a piece may come again.",
        _EDIT,
        {**_EVENT, "items": ListOf(ObjectOf(_ITEM), required=True)},
    ),
)
