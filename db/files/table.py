"""Files as rows: found, put, moved, taken away, each by a caller's rights. Knows rows and rules; not bytes or HTTP."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Invalid, NotFound, TooLarge
from db.files.buckets import Bucket
from db.files.content_types import is_taken
from db.files.declared import FileRows, Incoming, Reading
from db.files.ledger import Blob
from db.files.names import check_name
from db.files.rules import Action, FileRules, refusal
from db.principal import Principal
from db.transaction import ReadTx, Row, SqlValue, Statement, WriteTx

METADATA_CHARACTERS = 8_000
CACHE_CHARACTERS = 200
# As many names as storage clients may send in one removal.
MOST_REMOVED = 1_000
OBJECT_NOT_FOUND = "Object not found"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be put. replace: whether one of this name may be replaced. metadata: a JSON object as text.

    picture: width and height of an image, where they are known.
    """

    bucket: str
    name: str
    content_type: str
    cache_control: str = "no-cache"
    metadata: str | None = None
    replace: bool = False
    picture: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, by which rules, and when. by_link: with a link; who signed it is the principal."""

    rules: FileRules
    principal: Principal
    now: Moment
    by_link: bool = False


def check_metadata(text: str | None) -> str | None:
    """The metadata of an upload as compact JSON. Raises Invalid unless it is an object of at most 8000 characters."""
    if not text:
        return None
    try:
        given: Any = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise Invalid(f"metadata: not JSON: {exc}", field="metadata") from exc
    compact = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    if not isinstance(given, dict) or len(compact) > METADATA_CHARACTERS:
        raise Invalid(f"metadata: wanted a JSON object of at most {METADATA_CHARACTERS} characters", field="metadata")
    return compact


def check_cache_control(text: str | None) -> str:
    """What to answer as Cache-Control: seconds become `max-age`. Raises Invalid."""
    given = (text or "").strip()
    if not given:
        return "no-cache"
    if len(given) > CACHE_CHARACTERS or not given.isprintable() or not given.isascii():
        raise Invalid(f"cache control: wanted at most {CACHE_CHARACTERS} plain characters", field="cacheControl")
    return f"max-age={given}" if given.isdecimal() else given


def find_file(tx: ReadTx, bucket: Bucket, name: str, caller: Caller, action: Action = "read") -> Row:
    """The file and the `object` that holds it.

    Raises NotFound, the same for one the caller may not read, unless the charter says why.
    """
    if action == "read":
        return find_readable(tx, bucket, name, caller)[0]
    found = _find_listed(tx, bucket, name, caller)
    if _find(tx, bucket, name, caller, action) is None:
        raise refusal(caller.principal, f"you may not {action} this file")
    return found


def find_readable(tx: ReadTx, bucket: Bucket, name: str, caller: Caller) -> tuple[Row, Reading | None]:
    """The file and the `object` that holds it, and why the caller may read it, where that is judged file by file.

    Raises NotFound, or what the charter says of a file that the caller may not read.
    """
    if bucket.declared is None or bucket.declared.reading is None:
        return _find_listed(tx, bucket, name, caller), None
    found = tx.row(_FIND, bucket=bucket.id, name=name)
    if found is None:
        raise NotFound(OBJECT_NOT_FOUND)
    reading = bucket.declared.reading
    return found, reading.may_read(tx, caller.principal, found, caller.now, caller.by_link)


def _find_listed(tx: ReadTx, bucket: Bucket, name: str, caller: Caller) -> Row:
    """The file, as far as the caller reads the row that owns it. Raises NotFound, or what the charter says."""
    found = _find(tx, bucket, name, caller, "read")
    if found is None:
        why = caller.rules.why_unreadable(tx, bucket, name, caller.principal, caller.now)
        raise why or NotFound(OBJECT_NOT_FOUND)
    return found


_FIND = """
SELECT f.*, b.object FROM vaultry_files AS f LEFT JOIN vaultry_blobs AS b ON b.sha256 = f.sha256
 WHERE f.bucket = :bucket AND f.name = :name
"""


def _find(tx: ReadTx, bucket: Bucket, name: str, caller: Caller, action: Action) -> Row | None:
    allowed = caller.rules.allowed(tx, bucket, action, caller.principal, caller.now)
    values = {**allowed.parameters, "bucket": bucket.id, "name": name}
    rows = tx.query(Statement(f"{_FIND} AND ({allowed.sql})", values))
    return rows[0] if rows else None


def check_put(tx: ReadTx, new: NewFile, caller: Caller) -> Bucket:
    """The bucket, when the caller may put the file as far as can be told without its bytes.

    Raises NotFound, NotAuthenticated, Forbidden, Conflict `already_exists`.
    """
    bucket = caller.rules.bucket(tx, new.bucket)
    check_name(new.name)
    caller.rules.require_row(tx, bucket, new.name, caller.principal, caller.now)
    if not new.replace and _row_of(tx, bucket.id, new.name) is not None:
        raise Conflict("The resource already exists", code="already_exists")
    return bucket


def room_left(tx: ReadTx, rules: FileRules, bucket_id: str, name: str) -> int:
    """Bytes a file of this name may have before the vault's files are too many; what it replaces is counted off."""
    taken = tx.value("SELECT coalesce(sum(size), 0) FROM vaultry_files")
    known = rules.declared.get(bucket_id)
    # A charter that keeps rows of files decides what becomes of a content that is replaced.
    before = None if known is not None and known.rows is not None else _row_of(tx, bucket_id, name)
    return max(0, rules.vault_bytes - int(taken) + (0 if before is None else int(before["size"])))


def quota_reached(rules: FileRules, size: int) -> TooLarge:
    """The error for a file that the vault has no room for."""
    return TooLarge(
        f"a file of {size} bytes does not fit: the files of this vault may have {rules.vault_bytes} bytes together "
        "(VAULTRY_VAULT_FILE_BYTES)",
        code="quota_reached",
    )


def put_file(tx: WriteTx, new: NewFile, blob: Blob, caller: Caller) -> Row:
    """Write the file's row; the new row. Everything is checked again, for the vault may have changed meanwhile.

    Raises as `check_put`, and Invalid `invalid_mime_type`, TooLarge.
    """
    bucket = check_put(tx, new, caller)
    _check_content(tx, bucket, new, blob.size, caller.rules)
    if bucket.declared is not None and bucket.declared.rows is not None:
        return _put_kept(tx, bucket, bucket.declared.rows, new, blob, caller)
    key = None if bucket.declared is None else new.name.partition("/")[0]
    _make_single(tx, bucket, new, key)
    before = _row_of(tx, bucket.id, new.name)
    values: dict[str, SqlValue] = {
        "sha256": blob.sha256,
        "size": blob.size,
        "content_type": new.content_type,
        "cache_control": new.cache_control,
        "metadata": new.metadata,
        "uploaded_by": caller.principal.actor_id,
        "updated_at": caller.now.text,
    }
    if before is None:
        place: dict[str, SqlValue] = {"id": caller.now.new_id(), "bucket": bucket.id, "name": new.name, "row_key": key}
        tx.insert("vaultry_files", **place, **values, created_at=caller.now.text)
    else:
        tx.execute(_REPLACE, id=before["id"], **values)
    row = _row_of(tx, bucket.id, new.name)
    if row is None:
        raise AssertionError("a row that was just written is there")
    _tell(tx, bucket, caller, row["row_key"], row)
    return row


def _put_kept(tx: WriteTx, bucket: Bucket, rows: FileRows, new: NewFile, blob: Blob, caller: Caller) -> Row:
    """Write the file's row where the charter wants it, beside the charter's own; the new row."""
    before = _row_of(tx, bucket.id, new.name)
    said: dict[str, Any] = json.loads(new.metadata or "{}")
    file = Incoming(caller.now.new_id(), new.name, blob.size, new.content_type, said, new.picture)
    place = rows.put(tx, caller.principal, file, before, caller.now)
    tx.insert(
        "vaultry_files",
        id=file.id,
        bucket=bucket.id,
        name=check_name(place.name),
        row_key=place.row_key,
        sha256=blob.sha256,
        size=blob.size,
        content_type=new.content_type,
        cache_control=new.cache_control,
        metadata=new.metadata,
        version=1 if before is None else before["version"] + 1,
        uploaded_by=caller.principal.actor_id,
        created_at=caller.now.text,
        updated_at=caller.now.text,
    )
    row = _row_of(tx, bucket.id, place.name)
    if row is None:
        raise AssertionError("a row that was just written is there")
    return row


_REPLACE = """
UPDATE vaultry_files
   SET sha256 = :sha256, size = :size, content_type = :content_type, cache_control = :cache_control,
       metadata = :metadata, uploaded_by = :uploaded_by, updated_at = :updated_at, version = version + 1
 WHERE id = :id
"""


def _check_content(tx: ReadTx, bucket: Bucket, new: NewFile, size: int, rules: FileRules) -> None:
    most, limit = rules.most_bytes(bucket)
    if size > most:
        raise TooLarge(f"got {size} bytes, the limit of {limit} is {most}", code="file_too_large")
    if size > room_left(tx, rules, bucket.id, new.name):
        raise quota_reached(rules, size)
    if not is_taken(new.content_type, bucket.types):
        raise Invalid(
            f"got a file of type {new.content_type}, the bucket {bucket.id} takes {', '.join(bucket.types)}",
            code=_code(bucket, "invalid_mime_type"),
            field="content-type",
        )


def _code(bucket: Bucket, known: str) -> str:
    return known if bucket.declared is None else bucket.declared.code(known)


def refuse_kept(bucket: Bucket) -> None:
    """Raise Invalid `file_kept` for a bucket whose files have rows of their own: what is there is put and removed."""
    if bucket.declared is not None and bucket.declared.rows is not None:
        raise Invalid(
            f"files of the bucket {bucket.id} are neither moved nor copied; upload it there", code="file_kept"
        )


def _make_single(tx: WriteTx, bucket: Bucket, new: NewFile, key: str | None) -> None:
    """In a bucket with one file for each row, remove the one of another name."""
    if bucket.declared is None or not bucket.declared.single:
        return
    others = "FROM vaultry_files WHERE bucket = :bucket AND row_key = :key AND name <> :name"
    values = {"bucket": bucket.id, "key": key, "name": new.name}
    if not new.replace and tx.value(f"SELECT 1 {others}", **values) is not None:
        raise Conflict("this row has a file already; replace it, or remove it first", code="already_exists")
    tx.execute(f"DELETE {others}", **values)


def move_file(tx: WriteTx, source: tuple[Bucket, str], target: NewFile, caller: Caller) -> Row:
    """Give a file another name, bucket or row; its new row. The caller must be allowed to take it away and to put."""
    row = find_file(tx, *source, caller, "remove")
    bucket = check_put(tx, target, caller)
    for either in (source[0], bucket):
        refuse_kept(either)
    if bucket.declared is not None and bucket.declared.single and target.name.partition("/")[0] != row["row_key"]:
        _make_single(tx, bucket, target, target.name.partition("/")[0])
    _check_content(tx, bucket, target, 0, caller.rules)
    if row["size"] > caller.rules.most_bytes(bucket)[0]:
        raise TooLarge(f"got {row['size']} bytes, the bucket {bucket.id} takes fewer", code="file_too_large")
    key = None if bucket.declared is None else target.name.partition("/")[0]
    tx.execute(_MOVE, id=row["id"], bucket=bucket.id, name=target.name, row_key=key, now=caller.now.text)
    moved = _row_of(tx, bucket.id, target.name)
    if moved is None:
        raise AssertionError("a row that was just written is there")
    if (source[0].id, row["row_key"]) != (bucket.id, key):
        _tell(tx, source[0], caller, row["row_key"], _any_of_row(tx, source[0].id, row["row_key"]))
    _tell(tx, bucket, caller, key, moved)
    return moved


_MOVE = """
UPDATE vaultry_files SET bucket = :bucket, name = :name, row_key = :row_key, updated_at = :now WHERE id = :id
"""


def remove_files(tx: WriteTx, bucket: Bucket, names: Sequence[str], caller: Caller) -> list[Row]:
    """Take away those of the files that are there and that the caller may take away; the rows they had.

    Raises Invalid for more than 1000 names.
    """
    if len(names) > MOST_REMOVED:
        raise Invalid(f"got {len(names)} names, the limit is {MOST_REMOVED}", field="prefixes")
    found = [_find(tx, bucket, name, caller, "remove") for name in dict.fromkeys(names)]
    removed = [row for row in found if row is not None]
    kept = None if bucket.declared is None else bucket.declared.rows
    for row in removed:
        if kept is not None:
            kept.removed(tx, caller.principal, row, caller.now)
        tx.execute("DELETE FROM vaultry_files WHERE id = :id", id=row["id"])
    for key in dict.fromkeys(row["row_key"] for row in removed):
        _tell(tx, bucket, caller, key, _any_of_row(tx, bucket.id, key))
    return removed


def empty_bucket(tx: WriteTx, bucket: Bucket) -> int:
    """Take away every file of a bucket made by hand; how many."""
    return tx.execute("DELETE FROM vaultry_files WHERE bucket = :bucket", bucket=bucket.id)


def drop_ownerless(tx: WriteTx, rules: FileRules) -> int:
    """Take away the files whose row is gone; how many."""
    return sum(tx.run(_ownerless("DELETE", tx, rules, known.id)) for known in rules.declared.values())


def has_ownerless(tx: ReadTx, rules: FileRules) -> bool:
    """Whether there is a file whose row is gone."""
    return any(tx.query(_ownerless("SELECT 1", tx, rules, known.id)) for known in rules.declared.values())


def _ownerless(verb: str, tx: ReadTx, rules: FileRules, bucket_id: str) -> Statement:
    owners = rules.every_row(tx, bucket_id)
    text = f"{verb} FROM vaultry_files WHERE bucket = :bucket AND row_key NOT IN ({owners})"
    return Statement(text, {"bucket": bucket_id})


def _row_of(tx: ReadTx, bucket_id: str, name: str) -> Row | None:
    return tx.row("SELECT * FROM vaultry_files WHERE bucket = :bucket AND name = :name", bucket=bucket_id, name=name)


def _any_of_row(tx: ReadTx, bucket_id: str, key: str | None) -> Row | None:
    text = "SELECT * FROM vaultry_files WHERE bucket = :bucket AND row_key = :key ORDER BY name LIMIT 1"
    return tx.row(text, bucket=bucket_id, key=key)


def _tell(tx: WriteTx, bucket: Bucket, caller: Caller, key: str | None, row: Row | None) -> None:
    """Tell the charter what became of the files of a row."""
    if bucket.declared is not None and bucket.declared.rows is None and key is not None:
        bucket.declared.changed(tx, caller.principal, key, row, caller.now)


def shown(row: Row) -> Mapping[str, Any]:
    """What storage clients call the metadata of an object."""
    return {
        "eTag": f'"{row["sha256"]}"',
        "size": row["size"],
        "mimetype": row["content_type"],
        "cacheControl": row["cache_control"],
        "lastModified": row["updated_at"],
        "contentLength": row["size"],
        "httpStatusCode": 200,
    }
