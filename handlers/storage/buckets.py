"""`/bucket`: the charter's buckets, and those made by hand. Parses and answers; the rules are the engine's."""

import json
from collections.abc import Callable
from typing import Any

from db.errors import Conflict, Invalid, NotFound
from db.files import buckets as rows
from db.files.buckets import Bucket
from db.files.rules import refusal
from db.files.table import Caller, empty_bucket
from db.transaction import ReadTx, WriteTx
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services
from handlers.storage.visit import enter

_SORTED = ("id", "name", "created_at", "updated_at")


def list_all(services: Services, call: Call) -> Reply:
    """The buckets the caller may know of, by id unless asked otherwise."""
    visit = enter(services, call)
    visit.check_token(None, writes=False)
    found, bookmark = visit.read(_known)
    shown = [_shown(bucket) for bucket in found]
    if wanted := call.parameter("search"):
        shown = [bucket for bucket in shown if wanted.lower() in bucket["id"].lower()]
    column = call.parameter("sortColumn") or "id"
    if column not in _SORTED:
        raise Invalid(f"sortColumn: got {column[:40]!r}, wanted one of {', '.join(_SORTED)}", field="sortColumn")
    shown.sort(key=lambda bucket: (bucket[column], bucket["id"]), reverse=call.parameter("sortOrder") == "desc")
    start = _count(call, "offset", 0)
    shown = shown[start : start + _count(call, "limit", len(shown))]
    return _reply(shown, bookmark)


def get(services: Services, call: Call) -> Reply:
    """One bucket."""
    visit = enter(services, call)

    def work(tx: ReadTx, caller: Caller) -> Bucket:
        bucket = _visible(tx, caller, call.path["bucket"])
        visit.check_token(bucket, writes=False)
        return bucket

    found, bookmark = visit.read(work)
    return _reply(_shown(found), bookmark)


def create(services: Services, call: Call) -> Reply:
    """Make a bucket by hand."""
    visit = enter(services, call)
    visit.check_token(None, writes=True)
    body = call.json_object()
    wish, bucket_id = rows.parse_wish(body), body.get("id") or body.get("name")

    def work(tx: WriteTx, caller: Caller) -> Reply:
        _require_manager(caller)
        if bucket_id in caller.rules.declared:
            raise Conflict("The resource already exists", code="already_exists")
        name = rows.make_bucket(tx, bucket_id, wish, caller.principal.actor_id, caller.now)
        return Reply(200, json.dumps({"name": name}))

    return visit.write("bucket.create", work)


def update(services: Services, call: Call) -> Reply:
    """Give a bucket made by hand other rules."""
    wish = rows.parse_wish(call.json_object())
    return _change(
        services,
        call,
        "bucket.update",
        "Successfully updated",
        lambda tx, bucket, caller: rows.change_bucket(tx, bucket.id, wish, caller.now),
    )


def delete(services: Services, call: Call) -> Reply:
    """Remove an empty bucket made by hand."""
    done = "Successfully deleted"
    return _change(services, call, "bucket.delete", done, lambda tx, bucket, _: rows.drop_bucket(tx, bucket.id))


def empty(services: Services, call: Call) -> Reply:
    """Take away every file of a bucket made by hand."""
    done = "Successfully emptied"
    return _change(services, call, "bucket.empty", done, lambda tx, bucket, _: empty_bucket(tx, bucket))


def _change(
    services: Services, call: Call, verb: str, message: str, change: Callable[[WriteTx, Bucket, Caller], object]
) -> Reply:
    visit = enter(services, call)
    visit.check_token(None, writes=True)

    def work(tx: WriteTx, caller: Caller) -> Reply:
        bucket = _visible(tx, caller, call.path["bucket"])
        _require_manager(caller)
        if bucket.declared is not None:
            raise Conflict(f"the bucket {bucket.id} is the application's own", code="bucket_declared")
        change(tx, bucket, caller)
        return Reply(200, json.dumps({"message": message}))

    return visit.write(verb, work)


def _known(tx: ReadTx, caller: Caller) -> list[Bucket]:
    if caller.principal.kind == "guest":
        return []
    declared = [caller.rules.declared_bucket(known) for known in caller.rules.declared.values()]
    return [*declared, *(rows.list_buckets(tx) if caller.rules.manages(caller.principal) else [])]


def _visible(tx: ReadTx, caller: Caller, bucket_id: str) -> Bucket:
    """The bucket. Raises NotFound, the same for one the caller may not know of."""
    bucket = caller.rules.bucket(tx, bucket_id)
    known = caller.rules.manages(caller.principal) if bucket.declared is None else caller.principal.kind != "guest"
    if not known:
        raise NotFound("Bucket not found", code="bucket_not_found")
    return bucket


def _require_manager(caller: Caller) -> None:
    if not caller.rules.manages(caller.principal):
        raise refusal(caller.principal, "you may not make or change buckets")


def _shown(bucket: Bucket) -> dict[str, Any]:
    return {
        "id": bucket.id,
        "name": bucket.id,
        "owner": bucket.created_by,
        "public": bucket.public,
        "type": "STANDARD",
        "file_size_limit": bucket.max_bytes,
        "allowed_mime_types": list(bucket.types) or None,
        "created_at": bucket.created_at,
        "updated_at": bucket.updated_at,
    }


def _count(call: Call, name: str, default: int) -> int:
    given = call.parameter(name)
    if given is None:
        return default
    if not given.isdecimal() or len(given) > 9:
        raise Invalid(f"{name}: got {given[:40]!r}, wanted a whole number", field=name)
    return int(given)


def _reply(body: Any, bookmark: str) -> Reply:
    return Reply(200, json.dumps(body, ensure_ascii=False), headers=(("x-d1-bookmark", bookmark),))
