"""Music files: an upload makes a row of the piece, another content of it a new version. Knows rows; not bytes.

A file is kept as `{piece}/{file}{extension}`, its later versions as `{piece}/{file}-{version}{extension}`. What was
replaced goes to a bucket of its own, where it waits for the end of its 30 days.
"""

import re
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Forbidden, Invalid, NotAuthenticated, NotFound, VaultError
from db.fields import parse_fields
from db.files.content_types import essence
from db.files.declared import FileBucket, FileReading, FileRows, Incoming, Place
from db.files.names import row_key_of
from db.principal import Principal
from db.resources import Policy
from db.transaction import ReadTx, Row, WriteTx
from domain.band.files.access import may_read, may_read_replaced
from domain.band.files.downloads import note_download
from domain.band.files.keys import MUSIC, REPLACED, file_id_of, key_of
from domain.band.files.kinds import EXTENSIONS, MOST_BYTES, NAME_CHARACTERS, SAID, default_type, refuse_public_licence
from domain.band.visibility import ASSIGNED_PIECES

_LIVE = "deleted_at IS NULL"
# What follows the last dot of a name is part of the name when it is longer.
_EXTENSION_CHARACTERS = 10
_NAMED_AS_KEPT = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:-\d+)?\.\w+")


def put(tx: WriteTx, principal: Principal, new: Incoming, before: Row | None, now: Moment) -> Place:
    """Write the row of a new file, or the next version of the one it replaces; where its content is kept.

    Raises Invalid for wrong words about it, NotFound, Conflict for a version that is not the latest.
    """
    said = parse_fields(new.metadata, SAID)
    _check_part(tx, said.get("part_id"), row_key_of(new.name))
    file_id, place = _add(tx, principal, new, said, now) if before is None else _replace(
        tx, principal, new, before, said, now
    )  # fmt: skip
    if said.get("part_id") is not None:
        tx.execute("UPDATE music_parts SET file_id = :file_id WHERE id = :id", file_id=file_id, id=said["part_id"])
    return place


def _check_part(tx: ReadTx, part_id: str | None, piece_id: str) -> None:
    if part_id is not None and tx.value("SELECT piece_id FROM music_parts WHERE id = :id", id=part_id) != piece_id:
        raise Invalid("part_id: no part of this piece", code="file_of_other_piece", field="part_id")


def _add(tx: WriteTx, principal: Principal, new: Incoming, said: dict[str, Any], now: Moment) -> tuple[str, Place]:
    piece_id, asked = row_key_of(new.name), new.name.rpartition("/")[2]
    _refuse_old_name(tx, asked)
    mime_type = essence(new.content_type)
    place = key_of(piece_id, new.id, 1, EXTENSIONS[mime_type])
    values: dict[str, Any] = {
        "file_name": said.get("file_name") or _shortened(asked),
        "file_type": said.get("file_type") or default_type(mime_type, for_part=said.get("part_id") is not None),
        "is_public": said.get("is_public") or 0,
        "description": said.get("description"),
    }
    refuse_public_licence(values)
    tx.insert(
        "music_files",
        id=new.id,
        piece_id=piece_id,
        file_size=new.size,
        mime_type=mime_type,
        storage_key=f"{MUSIC}/{place}",
        uploaded_at=now.text,
        uploaded_by=principal.id,
        **values,
    )
    return new.id, Place(place, piece_id)


def _shortened(name: str) -> str:
    """The name with its extension, as long as one may be."""
    stem, dot, extension = name.rpartition(".")
    if len(name) <= NAME_CHARACTERS or len(extension) > _EXTENSION_CHARACTERS:
        return name[:NAME_CHARACTERS].strip()
    return stem[: NAME_CHARACTERS - len(extension) - 1].strip() + dot + extension


def _refuse_old_name(tx: ReadTx, asked: str) -> None:
    """Raise for a name that we gave ourselves and that no file has any more: a new file is not what is meant."""
    match = _NAMED_AS_KEPT.fullmatch(asked)
    if match is None:
        return
    now_at: str | None = tx.value("SELECT storage_key FROM music_files WHERE id = :id", id=match[1])
    if now_at is None:
        raise NotFound(f"file {match[1]}: unknown", field="path")
    raise Conflict(f"file {match[1]} was replaced since; it is {now_at} now", code="version_conflict", field="path")


_NEXT = """
UPDATE music_files
   SET file_name = :file_name, file_type = :file_type, is_public = :is_public, description = :description,
       file_size = :size, mime_type = :mime_type, storage_key = :key, version = version + 1, uploaded_at = :now,
       uploaded_by = :by
 WHERE id = :id
"""
# From then on the time of the change counts.
_PUT_ASIDE = "UPDATE vaultry_files SET bucket = :bucket, updated_at = :now WHERE id = :id"


def _replace(
    tx: WriteTx, principal: Principal, new: Incoming, before: Row, said: dict[str, Any], now: Moment
) -> tuple[str, Place]:
    file = tx.row("SELECT * FROM music_files WHERE storage_key = :key", key=f"{MUSIC}/{before['name']}")
    if file is None:
        raise NotFound(f"{before['name']}: no file of a piece", field="path")
    mime_type = essence(new.content_type)
    place = key_of(file["piece_id"], file["id"], file["version"] + 1, EXTENSIONS[mime_type])
    values: dict[str, Any] = {name: said.get(name, file[name]) for name in ("description", "is_public")}
    values["is_public"] = values["is_public"] or 0
    values |= {name: said.get(name) or file[name] for name in ("file_name", "file_type")}
    refuse_public_licence(values)
    key = f"{MUSIC}/{place}"
    tx.execute(
        _NEXT, id=file["id"], now=now.text, size=new.size, mime_type=mime_type, key=key, by=principal.id, **values
    )
    tx.execute(_PUT_ASIDE, id=before["id"], bucket=REPLACED, now=now.text)
    return file["id"], Place(place, file["piece_id"])


_DROP_VERSIONS = """
DELETE FROM vaultry_files
 WHERE bucket = :bucket AND row_key = :piece_id AND substr(name, 1, length(:start)) = :start
"""


def removed(tx: WriteTx, principal: Principal, file: Row, now: Moment) -> None:
    """Remove the row with its log and its earlier contents. Parts stay, and have no file."""
    tx.execute("DELETE FROM music_files WHERE storage_key = :key", key=f"{MUSIC}/{file['name']}")
    start = f"{file['row_key']}/{file_id_of(file['name'])}"
    tx.execute(_DROP_VERSIONS, bucket=REPLACED, piece_id=file["row_key"], start=start)


def _why(tx: ReadTx, principal: Principal, row_key: str, now: Moment) -> VaultError | None:
    """A guest is asked to sign in, and who lacks the right hears of no piece."""
    if principal.kind == "guest":
        return NotAuthenticated("files of pieces are put by librarians; sign in first", code="not_signed_in")
    if not principal.may("music.upload"):
        return Forbidden("putting files needs music.upload")
    return None


_LINK_SECONDS = (60, 86400, 3600)
_CODES = {
    "invalid_mime_type": "unsupported_media_type",
    "path_invalid": "bad_path",
    "link_missing": "download_token_missing",
    "link_invalid": "download_token_invalid",
    "link_expired": "download_link_expired",
}

BUCKETS = (
    FileBucket(
        MUSIC,
        table="music_pieces",
        read=(Policy("music.view.all", _LIVE), Policy("music.view.assigned", f"{_LIVE} AND id IN {ASSIGNED_PIECES}")),
        write=(Policy("music.upload", _LIVE),),
        remove=(Policy("music.delete", _LIVE),),
        types=tuple(EXTENSIONS),
        max_bytes=MOST_BYTES,
        why_unreadable=_why,
        rows=FileRows(put, removed),
        reading=FileReading(may_read, note_download, _LINK_SECONDS),
        codes=_CODES,
    ),
    FileBucket(
        REPLACED,
        table="music_pieces",
        read=(Policy("music.upload", _LIVE),),
        write=(),
        remove=(),
        reading=FileReading(may_read_replaced, note_download, _LINK_SECONDS),
        codes=_CODES,
    ),
)
