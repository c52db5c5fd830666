"""The parts of a piece: written down, renamed, removed, and in the order of a score. Gives none to anybody."""

from typing import Any

from db.clock import Moment
from db.errors import Conflict, Invalid, NotFound
from db.fields import Field, Flag, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.music.distribution import Part, part_order
from domain.band.music.pieces import live_piece, require_sight
from domain.charter import Args, Verb
from domain.partial_update import changeable, changes

PART_FIELDS: dict[str, Field] = {
    "instrument_id": Text(required=True),
    "part_name": Text(required=True, max_characters=100),
    "file_id": Text(),
    "is_optional": Flag(),
    "notes": Text(max_characters=1000),
}
_NEVER_NULL = frozenset({"is_optional"})


def part_row(tx: ReadTx, part_id: str) -> Row:
    """The part. Raises NotFound."""
    found = tx.row("SELECT * FROM music_parts WHERE id = :id", id=part_id)
    if found is None:
        raise NotFound(f"part {part_id}: unknown", field="part_id")
    return found


_PARTS = """
SELECT p.*, i.sort_order, i.name AS instrument FROM music_parts AS p JOIN instruments AS i ON i.id = p.instrument_id
 WHERE p.piece_id = :id
"""


def as_part(row: Row) -> Part:
    """The row of `_PARTS` as the distribution knows it."""
    return Part(row["id"], row["part_name"], row["instrument_id"], row["sort_order"], bool(row["is_optional"]))


def part_rows(tx: ReadTx, piece_id: str) -> list[Row]:
    """Every part of the piece with `instrument` and its `sort_order`, in the order of a score."""
    return sorted(tx.rows(_PARTS, id=piece_id), key=lambda row: part_order(as_part(row)))


_TAKEN = """
SELECT 1 FROM music_parts WHERE piece_id = :piece_id AND part_name = :name COLLATE NOCASE AND id IS NOT :id
"""


def _check(tx: ReadTx, piece_id: str, given: dict[str, Any], part_id: str | None) -> None:
    """Raise Conflict `name_taken`, Invalid for an unknown instrument or `file_of_other_piece`."""
    name = given.get("part_name")
    if name is not None and tx.value(_TAKEN, piece_id=piece_id, name=name, id=part_id) is not None:
        raise Conflict(f"part_name: the piece has a part {name}", code="name_taken", field="part_name")
    instrument = given.get("instrument_id")
    if instrument is not None and tx.value("SELECT 1 FROM instruments WHERE id = :id", id=instrument) is None:
        raise Invalid(f"instrument_id: {instrument!r} is unknown", field="instrument_id")
    file_id = given.get("file_id")
    if file_id is not None:
        piece_of = tx.value("SELECT piece_id FROM music_files WHERE id = :id", id=file_id)
        if piece_of != piece_id:
            raise Invalid("file_id: no file of this piece", code="file_of_other_piece", field="file_id")


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new part's id. Raises NotFound, Conflict `name_taken`, Invalid."""
    piece = live_piece(tx, args["piece_id"])
    given = {name: args.get(name) for name in PART_FIELDS}
    _check(tx, piece["id"], given, None)
    part_id = now.new_id()
    given["is_optional"] = given["is_optional"] or 0
    tx.insert("music_parts", id=part_id, piece_id=piece["id"], **given)
    return {"id": part_id}


_SET = """
UPDATE music_parts
   SET instrument_id = :instrument_id, part_name = :part_name, file_id = :file_id, is_optional = :is_optional,
       notes = :notes
 WHERE id = :id
"""
_RENAME = "UPDATE music_assignments SET part_name = :name WHERE part_id = :id"


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. A new name is the name on every assignment of the part too. Raises as `create`."""
    part = part_row(tx, args["part_id"])
    given = changes(args, PART_FIELDS, never_null=_NEVER_NULL)
    _check(tx, part["piece_id"], given, part["id"])
    tx.execute(_SET, id=part["id"], **{name: given.get(name, part[name]) for name in PART_FIELDS})
    if given.get("part_name") is not None:
        tx.execute(_RENAME, id=part["id"], name=given["part_name"])
    return {"id": part["id"]}


def remove(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Assignments keep the part's name as text. Raises NotFound."""
    part = part_row(tx, args["part_id"])
    tx.execute("DELETE FROM music_parts WHERE id = :id", id=part["id"])
    return {"id": part["id"]}


_LISTED = ("id", "part_name", "instrument_id", "instrument", "file_id", "is_optional", "notes")


def list_parts(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The parts of a piece in the order of its score. Raises NotFound."""
    require_sight(tx, principal, args["piece_id"])
    return [{name: row[name] for name in _LISTED} for row in part_rows(tx, args["piece_id"])]


_EDIT = ("music.edit",)
_PIECE: dict[str, Field] = {"piece_id": Text(required=True)}
_PART: dict[str, Field] = {"part_id": Text(required=True)}

VERBS = (
    Verb("part.create", create, True, "Write down a part of a piece.", _EDIT, {**_PIECE, **PART_FIELDS}),
    Verb("part.update", update, True, "Change a part.", _EDIT, {**_PART, **changeable(PART_FIELDS)}),
    Verb("part.remove", remove, True, "Remove a part; assignments keep its name.", _EDIT, _PART),
    Verb(
        "part.list",
        list_parts,
        False,
        "The parts of a piece in the order of its score.",
        ("music.view.all", "music.view.assigned"),
        _PIECE,
    ),
)
