"""Lists of files as storage clients ask for them: by folder, or page by page. Knows rows and rules; not HTTP."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.errors import Invalid
from db.fields import is_json_object
from db.files.buckets import Bucket
from db.files.table import Caller, shown
from db.transaction import ReadTx, Row, SqlValue, Statement

MOST_LISTED = 1_000
_COLUMNS = ("name", "id", "updated_at", "created_at", "last_accessed_at")
_PAGED_COLUMNS = ("name", "updated_at", "created_at")


@dataclass(frozen=True, slots=True)
class FolderWish:
    """One folder of a bucket. folder: '' or with a `/` at its end. search: how names in it begin, case ignored."""

    folder: str
    search: str
    limit: int
    offset: int
    column: str
    descending: bool


@dataclass(frozen=True, slots=True)
class PageWish:
    """A page of the names that begin so. grouped: names with a further `/` count as one folder."""

    prefix: str
    limit: int
    grouped: bool
    column: str
    descending: bool
    after: tuple[str, str] | None


def parse_folder_wish(body: Mapping[str, Any]) -> FolderWish:
    """The wish in the body of `/object/list/{bucket}`. Raises Invalid."""
    folder = _text(body, "prefix").strip("/")
    column, descending = _order(body, _COLUMNS)
    return FolderWish(
        f"{folder}/" if folder else "",
        _text(body, "search"),
        _number(body, "limit", 100, MOST_LISTED),
        _number(body, "offset", 0, 2**53),
        column,
        descending,
    )


def parse_page_wish(body: Mapping[str, Any]) -> PageWish:
    """The wish in the body of `/object/list-v2/{bucket}`. Raises Invalid."""
    column, descending = _order(body, _PAGED_COLUMNS)
    grouped = body.get("with_delimiter") or False
    if not isinstance(grouped, bool):
        raise Invalid("with_delimiter: wanted true or false", field="with_delimiter")
    limit = _number(body, "limit", MOST_LISTED, MOST_LISTED)
    return PageWish(_text(body, "prefix"), max(1, limit), grouped, column, descending, _after(body.get("cursor")))


def list_folder(tx: ReadTx, bucket: Bucket, wish: FolderWish, caller: Caller) -> list[dict[str, Any]]:
    """What is right in the folder, folders before files, as far as the caller may read it."""
    direction = "DESC" if wish.descending else "ASC"
    column = "updated_at" if wish.column == "last_accessed_at" else wish.column
    visible, values = _visible(tx, bucket, wish.folder, caller)
    text = f"""
WITH visible AS NOT MATERIALIZED ({visible}),
     entries AS (
  SELECT DISTINCT 0 AS is_file, substr(rest, 1, instr(rest, '/') - 1) AS label, NULL AS id
    FROM visible WHERE instr(rest, '/') > 0
  UNION ALL
  SELECT 1, rest, id FROM visible WHERE instr(rest, '/') = 0)
SELECT e.label, f.* FROM entries AS e LEFT JOIN vaultry_files AS f ON f.id = e.id
 WHERE substr(casefold(e.label), 1, length(:search)) = :search
 ORDER BY e.is_file, f.{column} {direction}, e.label {direction} LIMIT :limit OFFSET :offset
"""
    values |= {"search": wish.search.casefold(), "limit": wish.limit, "offset": wish.offset}
    return [_entry(row) for row in tx.query(Statement(text, values))]


def list_page(tx: ReadTx, bucket: Bucket, wish: PageWish, caller: Caller) -> dict[str, Any]:
    """A page of files, and of folders if they are grouped, as far as the caller may read them."""
    direction, later = ("DESC", "<") if wish.descending else ("ASC", ">")
    visible, values = _visible(tx, bucket, wish.prefix, caller)
    folder = "instr(rest, '/')"
    grouped = f"CASE WHEN {folder} > 0 THEN :prefix || substr(rest, 1, {folder}) END" if wish.grouped else "NULL"
    sorted_by = "label" if wish.column == "name" else wish.column
    text = f"""
WITH visible AS NOT MATERIALIZED ({visible}),
     entries AS (
  SELECT coalesce({grouped}, name) AS label, {grouped} IS NOT NULL AS is_folder,
         iif({grouped} IS NULL, id, NULL) AS id, min(updated_at) AS updated_at, min(created_at) AS created_at
    FROM visible GROUP BY 1)
SELECT e.label, e.is_folder, {sorted_by} AS place, f.* FROM (
  SELECT * FROM entries
   WHERE :after_place IS NULL OR ({sorted_by}, label) {later} (:after_place, :after_label)
   ORDER BY {sorted_by} {direction}, label {direction} LIMIT :limit) AS e
  LEFT JOIN vaultry_files AS f ON f.id = e.id
 ORDER BY place {direction}, e.label {direction}
""".replace(
        f"SELECT e.label, e.is_folder, {sorted_by} AS place", f"SELECT e.label, e.is_folder, e.{sorted_by} AS place"
    )
    place, label = wish.after or (None, None)
    values |= {"prefix": wish.prefix, "after_place": place, "after_label": label, "limit": wish.limit + 1}
    rows = tx.query(Statement(text, values))
    kept = rows[: wish.limit]
    more = len(rows) > wish.limit
    return {
        "hasNext": more,
        "folders": [_folder(row) for row in kept if row["is_folder"]],
        "objects": [_object(row) for row in kept if not row["is_folder"]],
        **({"nextCursor": _cursor(kept[-1])} if more else {}),
    }


def _visible(tx: ReadTx, bucket: Bucket, prefix: str, caller: Caller) -> tuple[str, dict[str, SqlValue]]:
    """A query for the caller's files whose names begin so; `rest` is what follows the prefix."""
    allowed = caller.rules.allowed(tx, bucket, "read", caller.principal, caller.now)
    text = f"""
SELECT *, substr(name, length(:within) + 1) AS rest FROM vaultry_files
 WHERE bucket = :bucket AND name >= :within AND name < :within_end AND ({allowed.sql})"""
    # Names compare by bytes: whatever begins so is less than the same with the last code point after it.
    return text, {**allowed.parameters, "bucket": bucket.id, "within": prefix, "within_end": f"{prefix}\U0010ffff"}


def _entry(row: Row) -> dict[str, Any]:
    if row["id"] is None:
        nothing = dict.fromkeys(("id", "updated_at", "created_at", "last_accessed_at", "metadata"))
        return {"name": row["label"], **nothing}
    return {
        "name": row["label"],
        "id": row["id"],
        "updated_at": row["updated_at"],
        "created_at": row["created_at"],
        "last_accessed_at": row["updated_at"],
        "metadata": shown(row),
    }


def _folder(row: Row) -> dict[str, Any]:
    key = str(row["label"]).removesuffix("/")
    return {"key": key, "name": row["label"]}


def _object(row: Row) -> dict[str, Any]:
    return {**_entry(row), "key": row["label"]}


def _cursor(row: Row) -> str:
    return base64.urlsafe_b64encode(json.dumps([row["place"], row["label"]]).encode()).decode()


def _after(cursor: object) -> tuple[str, str] | None:
    if not cursor:
        return None
    try:
        place, label = json.loads(base64.b64decode(str(cursor), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError) as exc:
        raise Invalid("cursor: not one of ours", field="cursor") from exc
    return str(place), str(label)


def _text(body: Mapping[str, Any], name: str) -> str:
    given = body.get(name) or ""
    if not isinstance(given, str) or len(given) > 1024:
        raise Invalid(f"{name}: wanted text of at most 1024 characters", field=name)
    return given


def _number(body: Mapping[str, Any], name: str, default: int, most: int) -> int:
    given = body.get(name)
    if given is None:
        return default
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= 2**53:
        raise Invalid(f"{name}: got {given!r}, wanted a whole number from 0", field=name)
    return min(given, most)


def _order(body: Mapping[str, Any], columns: tuple[str, ...]) -> tuple[str, bool]:
    given: Any = body.get("sortBy") or {}
    wish = given if is_json_object(given) else {"column": given}
    column, order = wish.get("column") or "name", wish.get("order") or "asc"
    if column not in columns or order not in ("asc", "desc"):
        raise Invalid(f"sortBy: wanted a column of {', '.join(columns)}, and asc or desc", field="sortBy")
    return str(column), order == "desc"
