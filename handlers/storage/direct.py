"""Long files straight to S3: an address to put one at, and the request that makes it a file. Knows signing, not rights.

The address takes one content, once. It is read back before it becomes a file: nothing is believed of it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace as with_changes
from typing import Any

from db.errors import Invalid, NotFound
from db.files.content_types import HEAD_BYTES, settle_type
from db.files.contents import Adopt, keep_stored
from db.files.keys import blob_key, files_prefix
from db.files.ledger import Blob
from db.files.links import Link, open_link, sign_link
from db.files.names import check_name
from db.files.picture_size import LEADING_BYTES, picture_size
from db.files.table import Caller, NewFile, check_cache_control, check_metadata, put_file
from db.log.fetch import fetch_range
from db.transaction import WriteTx
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services
from handlers.storage.objects import wants_upsert
from handlers.storage.presigned import s3_links
from handlers.storage.uploads import largest
from handlers.storage.visit import enter, enter_by_link

LINK_SECONDS = 3600
_SHA256 = re.compile(r"[0-9a-f]{64}")


def begin(services: Services, call: Call) -> Reply:
    """The address to put a file at, and the token by which `complete` makes it one. Raises Invalid for other stores."""
    visit, body = enter(services, call), call.json_object()
    links = s3_links(services)
    if links is None:
        raise Invalid(
            "this store takes no uploads past the service",
            code="direct_upload_unavailable",
            hint="Use /upload/resumable, which takes files of any length in parts.",
        )
    new = NewFile(
        call.path["bucket"],
        check_name(call.path["name"]),
        str(body.get("contentType") or ""),
        check_cache_control(str(body.get("cacheControl") or "")),
        check_metadata(None if body.get("metadata") is None else json.dumps(body["metadata"])),
        wants_upsert(call),
    )
    size, sha256 = _size(body), _sha256(body)
    largest(visit, new, str(size))
    signer, bookmark = visit.read(lambda tx, caller: caller.principal)
    name = call.now.new_id()
    target = links.put(visit.entry.id, name, size, sha256, LINK_SECONDS)
    more = {
        "object": name,
        "size": size,
        "sha256": sha256,
        "signer": visit.signed_by(signer, new.bucket),
        "replace": new.replace,
        "content_type": new.content_type,
        "cache_control": new.cache_control,
        "metadata": new.metadata,
    }
    link = Link(visit.entry.id, new.bucket, new.name, more)
    # Longer than the address: what was put in its last minute can still be completed.
    token = sign_link(services.keyring, "direct upload", link, 2 * LINK_SECONDS, call.now)
    told = {"method": "PUT", "url": target.url, "headers": target.headers, "token": token, "expiresIn": LINK_SECONDS}
    return Reply(200, json.dumps(told), headers=(("x-d1-bookmark", bookmark),))


def complete(services: Services, call: Call) -> Reply:
    """Make what was put a file. Raises NotFound when nothing was put, Invalid when it is another content."""
    visit = enter_by_link(services, call)
    place = (visit.entry.id, call.path["bucket"], call.path["name"])
    token = str(call.json_object().get("token") or call.parameter("token") or "")
    told = open_link(services.keyring, "direct upload", token, place, call.now).more
    once = [("idempotency-key", f"direct {told['object']}")]
    visit = visit.signed(told["signer"])
    visit = with_changes(visit, call=with_changes(call, query=[], headers=once, body=b""))
    put = _read_back(services, visit.entry.id, told)
    if put is None:
        # Completed before, and removed since because the vault had the content already? Then there is an answer.
        return visit.write("file.put", _refuse)
    sha256, head = put
    content_type = settle_type(told["content_type"], head[:HEAD_BYTES])
    picture = picture_size(head) if content_type.startswith("image/") else None
    new = NewFile(place[1], place[2], content_type, told["cache_control"],
                  told["metadata"], told["replace"], picture)  # fmt: skip

    def commit(adopt: Adopt) -> Reply:
        def work(tx: WriteTx, caller: Caller) -> Reply:
            row = put_file(tx, new, adopt(tx), caller)
            answer = {"Id": row["id"], "Key": f"{row['bucket']}/{row['name']}"}
            return Reply(200, json.dumps(answer, ensure_ascii=False))

        return visit.write("file.put", work)

    with services.vault(visit.entry) as vault:
        return keep_stored(services.site.store, vault, Blob(sha256, told["size"], told["object"]), call.now, commit)


def _refuse(tx: WriteTx, caller: Caller) -> Reply:
    raise NotFound("nothing was put at the address yet", code="upload_not_found")


def _read_back(services: Services, vault_id: str, told: Mapping[str, Any]) -> tuple[str, bytes] | None:
    """Digest and first megabyte of what was put, which must be what it was said to be; None when nothing is there."""
    store, key = services.site.store, blob_key(vault_id, told["object"])
    # Ids rise with time: few objects come after one that was just put.
    listed = store.list(files_prefix(vault_id), after=key[:-1], op="files:list")
    stored = next((found for found in listed if found.key == key), None)
    if stored is None:
        return None
    digest, head = hashlib.sha256(), b""
    if stored.size == told["size"]:
        for chunk in fetch_range(store, key, 0, stored.size):
            head += chunk[: LEADING_BYTES - len(head)]
            digest.update(chunk)
    if stored.size != told["size"] or told["sha256"] not in (None, digest.hexdigest()):
        raise Invalid(
            f"got {stored.size} bytes, SHA-256 {digest.hexdigest()}; "
            f"wanted {told['size']} bytes, {told['sha256'] or 'any'}",
            code="content_differs",
        )
    return digest.hexdigest(), head


def _size(body: Mapping[str, Any]) -> int:
    given = body.get("size")
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise Invalid(f"size: got {given!r}, wanted the bytes of the file", field="size")
    return given


def _sha256(body: Mapping[str, Any]) -> str | None:
    given = body.get("sha256")
    if given is not None and not (isinstance(given, str) and _SHA256.fullmatch(given)):
        raise Invalid("sha256: wanted 64 hex digits in lower case", field="sha256")
    return given
