"""Pieces put away, thrown away and brought back; people and publishers added and removed."""

from typing import Any, LiteralString

from db.clock import Moment
from db.errors import Conflict, Forbidden, NotFound
from db.fields import Choice, Field, Flag, ListOf, Text
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.band.music.catalogue import PERSON_FIELDS, full_name
from domain.band.trash import Trashable, trash_verb
from domain.band.visibility import ASSIGNED_PIECES
from domain.charter import Args, Verb

PIECES = Trashable("music_pieces", "piece")
piece_row, live_piece = PIECES.row, PIECES.live


_SEEN = f"SELECT 1 FROM music_pieces WHERE id = :id AND id IN {ASSIGNED_PIECES}"


def require_sight(tx: ReadTx, principal: Principal, piece_id: str) -> None:
    """Raise NotFound for a piece the caller may not see, as for one that does not exist."""
    live_piece(tx, piece_id)
    if not principal.may("music.view.all") and tx.value(_SEEN, id=piece_id, principal_id=principal.id) is None:
        raise NotFound(f"piece {piece_id}: unknown", field="piece_id")


_ARCHIVE = "UPDATE music_pieces SET is_archived = :archived, updated_at = :now WHERE id = :id"
_TRASHED: LiteralString = """
SELECT id, title, subtitle, catalog_number, deleted_at FROM music_pieces WHERE deleted_at IS NOT NULL
"""


def _set_archived(tx: WriteTx, piece_id: str, archived: bool, now: Moment) -> dict[str, Any]:
    piece = live_piece(tx, piece_id)
    if bool(piece["is_archived"]) == archived:
        state = "archived already" if archived else "not archived"
        raise Conflict(f"the piece is {state}", code="invalid_transition")
    tx.execute(_ARCHIVE, id=piece_id, archived=int(archived), now=now.text)
    return {"id": piece_id}


def archive(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Conflict `invalid_transition` when it is archived."""
    return _set_archived(tx, args["piece_id"], True, now)


def unarchive(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Conflict `invalid_transition` when it is not archived."""
    return _set_archived(tx, args["piece_id"], False, now)


def delete(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, and until when the piece and its files can come back. Raises NotFound, Conflict `already_deleted`."""
    return PIECES.discard(tx, args["piece_id"], now)


def restore(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Conflict `not_deleted`, `restore_window_closed`."""
    return PIECES.bring_back(tx, args["piece_id"], now)


_SINGLE = {"archive": archive, "unarchive": unarchive, "delete": delete, "restore": restore}
_NEEDED = {"archive": "music.edit", "unarchive": "music.edit", "delete": "music.delete", "restore": "music.delete"}
_UNCHANGED = frozenset({"invalid_transition", "already_deleted", "not_deleted"})


def change_many(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many pieces changed; those already in that state are passed over. Raises Forbidden, NotFound, Conflict."""
    action, count = args["action"], 0
    if not principal.may(_NEEDED[action]):
        raise Forbidden(f"{action} needs {_NEEDED[action]}")
    for piece_id in dict.fromkeys(args["piece_ids"]):
        try:
            _SINGLE[action](tx, principal, {"piece_id": piece_id}, now)
        except Conflict as exc:
            if exc.code not in _UNCHANGED:
                raise
        else:
            count += 1
    return {"count": count}


_SAME_PERSON = "SELECT id FROM persons WHERE casefold(full_name) = casefold(:full_name) ORDER BY created_at, id"


def add_person(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, full name, and whether it is new: somebody of that name is taken as the same unless `force` is given."""
    first: str = args.get("first_name") or ""
    name = full_name(first, args["last_name"])
    known: str | None = tx.value(_SAME_PERSON, full_name=name)
    if known is not None and not args.get("force"):
        return {"id": known, "full_name": name, "created": False}
    person_id = now.new_id()
    tx.insert(
        "persons",
        id=person_id,
        first_name=first,
        last_name=args["last_name"],
        full_name=name,
        bio=args.get("bio"),
        created_at=now.text,
        updated_at=now.text,
    )
    return {"id": person_id, "full_name": name, "created": True}


_OF_PERSON = "SELECT count(*) FROM music_pieces WHERE :id IN (composer_id, arranger_id)"
_OF_PUBLISHER = "SELECT count(*) FROM music_pieces WHERE publisher_id = :id"


def remove_person(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id, and how many pieces lost a composer or arranger. Raises NotFound."""
    touched = tx.value(_OF_PERSON, id=args["person_id"])
    if not tx.execute("DELETE FROM persons WHERE id = :id", id=args["person_id"]):
        raise NotFound(f"person {args['person_id']}: unknown", field="person_id")
    return {"id": args["person_id"], "pieces": touched}


def remove_publisher(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id, and how many pieces lost their publisher. Raises NotFound."""
    touched = tx.value(_OF_PUBLISHER, id=args["publisher_id"])
    if not tx.execute("DELETE FROM publishers WHERE id = :id", id=args["publisher_id"]):
        raise NotFound(f"publisher {args['publisher_id']}: unknown", field="publisher_id")
    return {"id": args["publisher_id"], "pieces": touched}


_PERFORMANCES = """
SELECT e.id, e.title, e.start_time, e.location
  FROM event_music AS m JOIN events AS e ON e.id = m.event_id
 WHERE m.piece_id = :id AND e.type = 'CONCERT' AND e.start_time < :now
   AND e.is_published = 1 AND e.is_cancelled = 0 AND e.deleted_at IS NULL
 ORDER BY e.start_time DESC, e.id
"""


def performances(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Concerts at which the piece was played, the latest first. Raises NotFound."""
    require_sight(tx, principal, args["piece_id"])
    return [dict(row) for row in tx.rows(_PERFORMANCES, id=args["piece_id"], now=now.text)]


_EDIT, _DELETE, _VIEW = ("music.edit",), ("music.delete",), ("music.view.all", "music.view.assigned")
_PIECE: dict[str, Field] = {"piece_id": Text(required=True)}

VERBS = (
    Verb("music.archive", archive, True, "Put a piece away; it stays in the catalogue behind a filter.", _EDIT, _PIECE),
    Verb("music.unarchive", unarchive, True, "Take a piece out again.", _EDIT, _PIECE),
    Verb("music.delete", delete, True, "Put a piece in the trash for 30 days.", _DELETE, _PIECE),
    Verb("music.restore", restore, True, "Bring a piece back from the trash.", _DELETE, _PIECE),
    trash_verb("music.trash", "Pieces", _TRASHED, "music.delete"),
    Verb(
        "music.change_many",
        change_many,
        True,
        "Archive, unarchive, delete or restore several pieces.",
        (*_EDIT, *_DELETE),
        {
            "piece_ids": ListOf(Text(), required=True, minimum=1),
            "action": Choice(tuple(_SINGLE), required=True),
        },
    ),
    Verb("music.performances", performances, False, "Concerts at which a piece was played.", _VIEW, _PIECE),
    Verb(
        "person.add",
        add_person,
        True,
        "Add a composer or arranger, unless there is one of that name.",
        ("music.create",),
        {**PERSON_FIELDS, "force": Flag()},
    ),
    Verb(
        "person.remove",
        remove_person,
        True,
        "Remove a composer or arranger from the catalogue.",
        _EDIT,
        {"person_id": Text(required=True)},
    ),
    Verb(
        "publisher.remove",
        remove_publisher,
        True,
        "Remove a publisher from the catalogue.",
        _EDIT,
        {"publisher_id": Text(required=True)},
    ),
)
