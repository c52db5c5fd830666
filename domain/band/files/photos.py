"""Photos of members: one of each, put by the person. Knows the member's row; not bytes."""

from db.clock import Moment
from db.files.declared import FileBucket
from db.principal import Principal
from db.resources import Policy
from db.transaction import Row, WriteTx
from domain.band.files.keys import PHOTOS
from domain.band.visibility import OWN_MEMBER

_OWN = f"deleted_at IS NULL AND id = {OWN_MEMBER}"
_NOTE = "UPDATE members SET profile_photo = :key, updated_at = :now WHERE id = :id"


def note_photo(tx: WriteTx, principal: Principal, member_id: str, file: Row | None, now: Moment) -> None:
    """Tell the member's row where the photo is, or that there is none."""
    key = None if file is None else f"{PHOTOS}/{file['name']}"
    tx.execute(_NOTE, id=member_id, key=key, now=now.text)


def forget_photo(tx: WriteTx, member_id: str) -> int:
    """Take the member's photo away; how many files that were. The row is left to whoever rewrites it."""
    return tx.execute("DELETE FROM vaultry_files WHERE bucket = :bucket AND row_key = :id", bucket=PHOTOS, id=member_id)


# Seen by whoever sees the member.
BUCKETS = (
    FileBucket(
        PHOTOS,
        table="members",
        read=None,
        write=(Policy("member.edit.own", _OWN),),
        remove=(Policy("member.edit.own", _OWN), Policy("member.edit.all", "deleted_at IS NULL")),
        types=("image/jpeg", "image/png", "image/gif", "image/webp"),
        max_bytes=5 << 20,
        single=True,
        changed=note_photo,
        codes={"invalid_mime_type": "unsupported_media_type"},
    ),
)
