"""`/object`: what is known of files; lists, moves, copies and removals. Parses and answers; moves no bytes."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from db.errors import Forbidden, Invalid, NotAuthenticated, NotFound
from db.fields import is_json_list
from db.files.buckets import Bucket
from db.files.declared import Reading
from db.files.ledger import find_blob
from db.files.listing import list_folder as folder_entries
from db.files.listing import list_page as page_entries
from db.files.listing import parse_folder_wish, parse_page_wish
from db.files.names import check_name
from db.files.table import (
    OBJECT_NOT_FOUND,
    Caller,
    NewFile,
    check_metadata,
    find_file,
    find_readable,
    move_file,
    put_file,
    refuse_kept,
    remove_files,
    shown,
)
from db.transaction import ReadTx, Row, WriteTx
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services
from handlers.storage.visit import Visit, enter, enter_by_link


def info(services: Services, call: Call) -> Reply:
    """What is known of one file."""
    return _info(enter(services, call))


def public_info(services: Services, call: Call) -> Reply:
    """The same for everybody."""
    return _info(enter_by_link(services, call))


def _info(visit: Visit) -> Reply:
    row, bookmark = visit.read(lambda tx, caller: find_visible(visit, tx, caller, content=False)[1])
    told: dict[str, Any] = {
        "id": row["id"],
        "name": row["name"],
        "version": str(row["version"]),
        "bucket_id": row["bucket"],
        "size": row["size"],
        "content_type": row["content_type"],
        "cache_control": row["cache_control"],
        "etag": f'"{row["sha256"]}"',
        "metadata": json.loads(row["metadata"]) if row["metadata"] else {},
        "last_modified": row["updated_at"],
        "created_at": row["created_at"],
    }
    return _reply(told, bookmark)


def find_visible(visit: Visit, tx: ReadTx, caller: Caller, *, content: bool) -> tuple[Bucket, Row, Reading | None]:
    """The file that the path names, with its bucket, and why the caller may read it, where that is judged by file.

    content: whether the caller wants what is in it, and is told to sign in where that would help. Who asks only
    whether it is there gets a plain no: clients' `exists()` takes nothing else for one. Raises NotFound.
    """
    bucket = caller.rules.bucket(tx, visit.call.path["bucket"])
    visit.check_token(bucket, writes=False)
    try:
        return bucket, *find_readable(tx, bucket, visit.call.path["name"], caller)
    except NotAuthenticated:
        if content:
            raise
        raise NotFound(OBJECT_NOT_FOUND) from None


def list_folder(services: Services, call: Call) -> Reply:
    """What is right in one folder of a bucket."""
    wish = parse_folder_wish(call.json_object())
    return _listed(services, call, lambda tx, bucket, caller: folder_entries(tx, bucket, wish, caller))


def list_page(services: Services, call: Call) -> Reply:
    """A page of what a bucket holds."""
    wish = parse_page_wish(call.json_object())
    return _listed(services, call, lambda tx, bucket, caller: page_entries(tx, bucket, wish, caller))


def _listed(services: Services, call: Call, work: Callable[[ReadTx, Bucket, Caller], Any]) -> Reply:
    visit = enter(services, call)

    def read(tx: ReadTx, caller: Caller) -> Any:
        bucket = caller.rules.bucket(tx, call.path["bucket"])
        visit.check_token(bucket, writes=False)
        return work(tx, bucket, caller)

    found, bookmark = visit.read(read)
    return _reply(found, bookmark)


def move(services: Services, call: Call) -> Reply:
    """Give a file another name, bucket or row."""
    visit, body = enter(services, call), call.json_object()

    def work(tx: WriteTx, caller: Caller) -> Reply:
        source, target = _source(visit, tx, caller, body, writes=True), _target(body)
        row = find_file(tx, *source, caller)
        visit.check_token(caller.rules.bucket(tx, target[0]), writes=True)
        new = NewFile(*target, content_type=row["content_type"], cache_control=row["cache_control"])
        moved = move_file(tx, source, new, caller)
        return Reply(200, json.dumps({"message": "Successfully moved", "Id": moved["id"], "Key": _key(moved)}))

    return visit.write("file.move", work)


def copy(services: Services, call: Call) -> Reply:
    """Give a file's content a second name; no byte is stored again."""
    visit, body = enter(services, call), call.json_object()
    given = body.get("metadata")
    metadata = None if given is None else check_metadata(json.dumps(given))

    def work(tx: WriteTx, caller: Caller) -> Reply:
        source, target = _source(visit, tx, caller, body, writes=False), _target(body)
        row = find_file(tx, *source, caller)
        there = caller.rules.bucket(tx, target[0])
        visit.check_token(there, writes=True)
        for either in (source[0], there):
            refuse_kept(either)
        kept = row["metadata"] if body.get("copyMetadata", True) else None
        new = NewFile(
            *target,
            content_type=row["content_type"],
            cache_control=row["cache_control"],
            metadata=metadata or kept,
            replace=wants_upsert(call),
        )
        blob = find_blob(tx, row["sha256"])
        if blob is None:
            raise AssertionError("a file refers to a content")
        made = put_file(tx, new, blob, caller)
        return Reply(200, json.dumps({"Id": made["id"], "Key": _key(made), **_told(made)}, ensure_ascii=False))

    return visit.write("file.copy", work)


def remove(services: Services, call: Call) -> Reply:
    """Take away the files of the names in the body; those that are not there or may not be are left out silently."""
    prefixes: Any = call.json_object().get("prefixes")
    if not is_json_list(prefixes) or not prefixes:
        raise Invalid("prefixes: wanted a list of paths with at least one", field="prefixes")
    names = [str(name) for name in prefixes]
    return _removed(services, call, names, lambda rows: [_told(row) for row in rows])


def remove_one(services: Services, call: Call) -> Reply:
    """Take away one file. Raises NotFound."""
    name = call.path["name"]
    return _removed(services, call, [name], lambda _: {"message": "Successfully deleted"}, must=True)


def _removed(
    services: Services, call: Call, names: list[str], told: Callable[[list[Row]], Any], *, must: bool = False
) -> Reply:
    visit = enter(services, call)

    def work(tx: WriteTx, caller: Caller) -> Reply:
        bucket = caller.rules.bucket(tx, call.path["bucket"])
        visit.check_token(bucket, writes=True)
        if must:
            find_file(tx, bucket, names[0], caller, "remove")
        return Reply(200, json.dumps(told(remove_files(tx, bucket, names, caller)), ensure_ascii=False))

    return visit.write("file.remove", work)


def not_rendered(services: Services, call: Call) -> Reply:
    """Images are handed out as they are. Raises Forbidden `feature_not_enabled`."""
    enter_by_link(services, call)
    raise no_transformation()


def no_transformation() -> Forbidden:
    """The error for whoever wants an image in another size or form."""
    return Forbidden(
        "images are not transformed here",
        code="feature_not_enabled",
        hint="Leave out `transform`, or store the sizes you need.",
    )


def not_cached(services: Services, call: Call) -> Reply:
    """There is no cache to empty. Raises Forbidden `feature_not_enabled`."""
    enter(services, call)
    raise Forbidden("no content delivery network stands before these files", code="feature_not_enabled")


def wants_upsert(call: Call) -> bool:
    """Whether the request says that a file of this name may be replaced."""
    return (call.header("x-upsert") or "").strip().lower() == "true"


def _source(visit: Visit, tx: ReadTx, caller: Caller, body: Mapping[str, Any], *, writes: bool) -> tuple[Bucket, str]:
    bucket = caller.rules.bucket(tx, str(body.get("bucketId") or ""))
    visit.check_token(bucket, writes=writes)
    return bucket, str(body.get("sourceKey") or "")


def _target(body: Mapping[str, Any]) -> tuple[str, str]:
    bucket_id = str(body.get("destinationBucket") or body.get("bucketId") or "")
    return bucket_id, check_name(body.get("destinationKey"), "destinationKey")


def _key(row: Row) -> str:
    return f"{row['bucket']}/{row['name']}"


def _told(row: Row) -> dict[str, Any]:
    """A file as storage clients list it outside of folders."""
    return {
        "name": row["name"],
        "id": row["id"],
        "bucket_id": row["bucket"],
        "owner": row["uploaded_by"],
        "updated_at": row["updated_at"],
        "created_at": row["created_at"],
        "last_accessed_at": row["updated_at"],
        "metadata": dict(shown(row)),
    }


def _reply(body: Any, bookmark: str) -> Reply:
    return Reply(200, json.dumps(body, ensure_ascii=False), headers=(("x-d1-bookmark", bookmark),))
