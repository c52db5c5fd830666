"""Buckets made by hand: their rows, and the shape all buckets share. Knows rows; not who may do what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Invalid
from db.fields import is_json_list
from db.files.content_types import essence
from db.files.declared import FileBucket
from db.files.names import check_bucket_id
from db.transaction import ReadTx, Row, WriteTx

_MOST_TYPES = 100


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket. public: everybody reads. types: media types taken, () = all. declared: by the charter, else None."""

    id: str
    public: bool
    max_bytes: int | None
    types: tuple[str, ...]
    created_by: str
    created_at: str
    updated_at: str
    declared: FileBucket | None = None


@dataclass(frozen=True, slots=True)
class BucketWish:
    """What a bucket is to be. None in `public` = as it was. told: which of the three were mentioned."""

    public: bool | None
    max_bytes: int | None
    types: tuple[str, ...] | None
    told: frozenset[str]


def parse_wish(body: Mapping[str, Any]) -> BucketWish:
    """The wish in a request. file_size_limit: bytes, or text such as `20MB`. Raises Invalid."""
    public = body.get("public")
    if public is not None and not isinstance(public, bool):
        raise Invalid(f"public: got {public!r}, wanted true or false", field="public")
    given = body.get("allowed_mime_types")
    listed: Any = [] if given is None else given
    if not is_json_list(listed):
        raise Invalid("allowed_mime_types: wanted a list of media types, or null", field="allowed_mime_types")
    if len(listed) > _MOST_TYPES:
        raise Invalid(f"allowed_mime_types: got {len(listed)}, the limit is {_MOST_TYPES}", field="allowed_mime_types")
    types = tuple(_media_range(str(known)) for known in listed)
    return BucketWish(public, _bytes(body.get("file_size_limit")), types or None, frozenset(body))


def _media_range(given: str) -> str:
    """A media type, `type/*` or `*/*`, in lower case. Raises Invalid."""
    family, slash, kind = given.strip().lower().partition("/")
    if kind != "*":
        return essence(given)
    if family == "*":
        return "*/*"
    # Whatever makes a type of the family well-formed does so for the family.
    return essence(f"{family}{slash}any").removesuffix("any") + "*"


_UNITS = {"": 1, "b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}


def _bytes(given: object) -> int | None:
    if given is None:
        return None
    text = str(given).strip().lower()
    number = text.rstrip("bkmg")
    unit = text[len(number) :]
    if isinstance(given, bool) or not number.strip().isdecimal() or len(number) > 15 or unit not in _UNITS:
        raise Invalid(f"file_size_limit: got {given!r}, wanted bytes, or text such as 20MB", field="file_size_limit")
    return int(number) * _UNITS[unit] or None


def find_bucket(tx: ReadTx, bucket_id: str) -> Bucket | None:
    """The bucket made by hand, or None."""
    found = tx.row("SELECT * FROM vaultry_buckets WHERE id = :id", id=bucket_id)
    return None if found is None else _bucket(found)


def list_buckets(tx: ReadTx) -> list[Bucket]:
    """Every bucket made by hand, by id."""
    return [_bucket(row) for row in tx.rows("SELECT * FROM vaultry_buckets ORDER BY id")]


def make_bucket(tx: WriteTx, bucket_id: object, wish: BucketWish, made_by: str, now: Moment) -> str:
    """Make a bucket; its id. Raises Invalid, Conflict `already_exists`."""
    wanted = check_bucket_id(bucket_id)
    if find_bucket(tx, wanted) is not None:
        raise Conflict("The resource already exists", code="already_exists")
    tx.insert(
        "vaultry_buckets",
        id=wanted,
        public=int(wish.public or False),
        max_bytes=wish.max_bytes,
        types=_types(wish),
        created_by=made_by,
        created_at=now.text,
        updated_at=now.text,
    )
    return wanted


_CHANGE = """
UPDATE vaultry_buckets
   SET public = coalesce(:public, public), max_bytes = iif(:limits, :max_bytes, max_bytes),
       types = iif(:chooses, :types, types), updated_at = :now
 WHERE id = :id
"""


def change_bucket(tx: WriteTx, bucket_id: str, wish: BucketWish, now: Moment) -> None:
    """Give the bucket the rules that are mentioned; files that are there already stay as they are."""
    tx.execute(
        _CHANGE,
        id=bucket_id,
        public=None if wish.public is None else int(wish.public),
        limits=int("file_size_limit" in wish.told),
        max_bytes=wish.max_bytes,
        chooses=int("allowed_mime_types" in wish.told),
        types=_types(wish),
        now=now.text,
    )


def drop_bucket(tx: WriteTx, bucket_id: str) -> None:
    """Remove the bucket. Raises Conflict `bucket_not_empty` while it has files."""
    tx.execute("DELETE FROM vaultry_buckets WHERE id = :id", id=bucket_id)


def _types(wish: BucketWish) -> str | None:
    return None if wish.types is None else json.dumps(wish.types)


def _bucket(row: Row) -> Bucket:
    types = tuple(json.loads(row["types"])) if row["types"] else ()
    made = (row["created_by"], row["created_at"], row["updated_at"])
    return Bucket(row["id"], bool(row["public"]), row["max_bytes"], types, *made)
