"""Pictures and documents of the band's pages: described when they are put, kept while a page uses them. Not bytes."""

import json

from db.clock import Moment
from db.errors import Conflict, Invalid
from db.fields import Field, ListOf, Text, parse_fields
from db.files.content_types import essence
from db.files.declared import FileBucket, FileRows, Incoming, Place
from db.principal import Principal
from db.resources import Policy
from db.transaction import Row, WriteTx
from domain.band.files.keys import ASSETS

_OFFICE = "application/vnd.openxmlformats-officedocument"
# Content types that are taken, and how a key of each ends.
_EXTENSIONS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "application/pdf": ".pdf",
    "application/msword": ".doc",
    f"{_OFFICE}.wordprocessingml.document": ".docx",
    "application/vnd.ms-excel": ".xls",
    f"{_OFFICE}.spreadsheetml.sheet": ".xlsx",
}
_MOST_BYTES = 50 << 20
_NAME_CHARACTERS = 255

DESCRIBED: dict[str, Field] = {
    "title": Text(max_characters=255),
    "alt_text": Text(max_characters=500),
    "caption": Text(max_characters=1000),
    "tags": ListOf(Text(max_characters=60), maximum=50),
}


def put(tx: WriteTx, principal: Principal, new: Incoming, before: Row | None, now: Moment) -> Place:
    """Write the row of a new asset; where it is kept. Raises Invalid, Conflict for one that has a content already."""
    if before is not None:
        raise Conflict("an asset keeps its content, for pages show it; upload another", code="already_exists")
    if new.size == 0:
        raise Invalid("the file is empty", code="invalid", field="file")
    said = parse_fields(new.metadata, DESCRIBED)
    mime_type = essence(new.content_type)
    place = new.id + _EXTENSIONS[mime_type]
    width, height = new.picture or (None, None)
    tags = json.dumps(said.pop("tags", None) or [], ensure_ascii=False)
    tx.insert(
        "media_assets",
        id=new.id,
        file_name=new.name.rpartition("/")[2][-_NAME_CHARACTERS:].strip(),
        file_size=new.size,
        mime_type=mime_type,
        storage_key=f"{ASSETS}/{place}",
        width=width,
        height=height,
        tags=tags,
        uploaded_at=now.text,
        uploaded_by=principal.id,
        **said,
    )
    return Place(place, new.id)


# By its name alone: in JSON the slash before it may be written in two ways.
_IN_USE = """
SELECT slug FROM pages
 WHERE instr(coalesce(og_image, ''), :name) OR instr(content, :name) OR instr(coalesce(raw_markdown, ''), :name)
 ORDER BY slug LIMIT 1
"""


def removed(tx: WriteTx, principal: Principal, file: Row, now: Moment) -> None:
    """Remove the row. Raises Conflict `in_use` while a page shows it, one in the trash too, which may come back."""
    slug = tx.value(_IN_USE, name=file["name"])
    if slug is not None:
        raise Conflict(f"the page {slug} uses this file", code="in_use")
    tx.execute("DELETE FROM media_assets WHERE id = :id", id=file["row_key"])


# Whoever sees a page sees what is in it.
BUCKETS = (
    FileBucket(
        ASSETS,
        table="media_assets",
        read=(Policy(None, "1"),),
        write=(Policy("cms.edit", "1"),),
        remove=(Policy("cms.delete", "1"),),
        types=tuple(_EXTENSIONS),
        max_bytes=_MOST_BYTES,
        rows=FileRows(put, removed, own=True),
        codes={"invalid_mime_type": "unsupported_media_type"},
    ),
)
