"""What is said of a music file, changed; and the file taken away by its id. Its bytes are put through the storage."""

from typing import Any

from db.clock import Moment
from db.errors import NotFound
from db.fields import Field, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.files.keys import MUSIC
from domain.band.files.kinds import DESCRIBED, refuse_public_licence
from domain.band.files.music import removed
from domain.charter import Args, Verb
from domain.partial_update import changeable, changes

_LIVE = """
SELECT f.* FROM music_files AS f JOIN music_pieces AS p ON p.id = f.piece_id AND p.deleted_at IS NULL WHERE f.id = :id
"""
_SET = """
UPDATE music_files SET description = :description, file_type = :file_type, is_public = :is_public WHERE id = :id
"""


def _live_file(tx: ReadTx, file_id: str) -> Row:
    """The file of a piece that is not in the trash. Raises NotFound."""
    found = tx.row(_LIVE, id=file_id)
    if found is None:
        raise NotFound(f"file {file_id}: unknown", field="file_id")
    return found


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Invalid for a licence that is to be public."""
    file = _live_file(tx, args["file_id"])
    given = changes(args, DESCRIBED, never_null=frozenset({"file_type", "is_public"}))
    values = {name: given.get(name, file[name]) for name in DESCRIBED}
    refuse_public_licence(values)
    tx.execute(_SET, id=file["id"], **values)
    return {"id": file["id"]}


_STORED = "SELECT * FROM vaultry_files WHERE bucket = :bucket AND name = :name"


def remove(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Row and bytes go, and the log of downloads; parts stay without a file. Raises NotFound."""
    file = _live_file(tx, args["file_id"])
    stored = tx.row(_STORED, bucket=MUSIC, name=file["storage_key"].partition("/")[2])
    if stored is not None:
        removed(tx, principal, stored, now)
        tx.execute("DELETE FROM vaultry_files WHERE id = :id", id=stored["id"])
    tx.execute("DELETE FROM music_files WHERE id = :id", id=file["id"])
    return {"id": file["id"]}


_FILE: dict[str, Field] = {"file_id": Text(required=True)}

VERBS = (
    Verb(
        "file.update",
        update,
        True,
        "Change what is said of a music file: description, type, whether everybody may read it.",
        ("music.edit",),
        {**_FILE, **changeable(DESCRIBED)},
    ),
    Verb("file.remove", remove, True, "Take a music file away; its parts stay.", ("music.delete",), _FILE),
)
