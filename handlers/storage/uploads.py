"""`POST` and `PUT` of a file in one body, by its uploader or by a signed link. Streams; the rules are the engine's."""

import base64
import binascii
import json
from contextlib import ExitStack
from dataclasses import replace as with_changes

from db.errors import Invalid, TooLarge
from db.files.buckets import Bucket
from db.files.content_types import settle_type
from db.files.contents import Adopt, keep_content
from db.files.links import open_link
from db.files.names import check_name
from db.files.picture_size import LEADING_BYTES, picture_size
from db.files.spool import Spool
from db.files.table import (
    Caller,
    NewFile,
    check_cache_control,
    check_metadata,
    check_put,
    put_file,
    quota_reached,
    room_left,
)
from db.transaction import ReadTx, WriteTx
from db.vault.work_folder import work_folder
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services
from handlers.storage.intake import FormBody, RawBody, form_boundary
from handlers.storage.objects import wants_upsert
from handlers.storage.visit import Visit, enter, enter_by_link

# What a form may add to its file.
_FORM_BYTES = 256 << 10


def create(services: Services, call: Call) -> "FileUpload":
    """Begin to receive a new file, or one that replaces another if `x-upsert` says so."""
    visit = enter(services, call)
    return FileUpload(
        visit, NewFile(call.path["bucket"], check_name(call.path["name"]), "", replace=wants_upsert(call))
    )


def replace(services: Services, call: Call) -> "FileUpload":
    """Begin to receive a file that replaces one of its name, if there is one."""
    visit = enter(services, call)
    return FileUpload(visit, NewFile(call.path["bucket"], check_name(call.path["name"]), "", replace=True))


def by_link(services: Services, call: Call) -> "FileUpload":
    """Begin to receive a file by a signed link. Raises Forbidden `link_invalid`, Gone `link_expired`."""
    bucket, name = call.path["bucket"], call.path["name"]
    visit, replaces = enter_by_upload_link(services, call, bucket, name, call.parameter("token"))
    return FileUpload(visit, NewFile(bucket, name, "", replace=replaces))


def enter_by_upload_link(
    services: Services, call: Call, bucket: str, name: str, token: str | None
) -> tuple[Visit, bool]:
    """Let in who brings a link for putting a file; also whether it may replace one. Raises Forbidden, Gone."""
    visit = enter_by_link(services, call)
    link = open_link(services.keyring, "upload link", token or "", (visit.entry.id, bucket, name), call.now)
    return visit.signed(link.more["signer"]), bool(link.more["replace"])


class FileUpload:
    """A file that is being received: rights, room and length are known before the first byte is taken."""

    def __init__(self, visit: Visit, new: NewFile) -> None:
        self._visit = visit
        self._new = new
        most, limit = largest(visit, new, visit.call.header("content-length"))
        self._held = ExitStack()
        boundary = form_boundary(visit.call)
        folder = self._held.enter_context(work_folder(visit.services.settings.cache / "uploads"))
        self._spool = self._held.enter_context(Spool(folder / "content", most, limit))
        self._body = RawBody(self._spool) if boundary is None else FormBody(self._spool, boundary)

    def feed(self, part: bytes) -> None:
        """Take the next bytes of the body."""
        self._body.feed(part)

    def finish(self) -> Reply:
        """Store the content and commit the file."""
        self._body.finish()
        self._spool.close()
        return store_file(self._visit, _described(self._visit.call, self._body, self._new), self._spool)

    def broken_off(self) -> None:
        """Half a file is no file."""

    def close(self) -> None:
        """Remove what was received."""
        self._held.close()


def largest(visit: Visit, new: NewFile, announced: str | None) -> tuple[int, str]:
    """How many bytes the file may have, and what limits it, once the caller was found to be allowed to put it.

    announced: the length of the body. Raises what `check_put` raises, and TooLarge for one known to be too long.
    """

    # What a repeated request would find in its way may be its own file: its commit knows the answer it was given.
    repeatable = visit.call.header("idempotency-key") is not None
    wanted = with_changes(new, replace=new.replace or repeatable)

    def work(tx: ReadTx, caller: Caller) -> tuple[Bucket, int]:
        visit.check_token(caller.rules.bucket(tx, new.bucket), writes=True)
        bucket = check_put(tx, wanted, caller)
        return bucket, room_left(tx, caller.rules, bucket.id, new.name)

    (bucket, room), _ = visit.read(work)
    most, limit = visit.rules.most_bytes(bucket)
    size = int(announced) if announced and announced.isdecimal() and len(announced) < 16 else 0
    is_form = (visit.call.header("content-type") or "").strip().lower().startswith("multipart/form-data")
    size -= _FORM_BYTES if is_form else 0
    if size > most:
        raise TooLarge(f"got {size} bytes or more, the limit of {limit} is {most}", code="file_too_large")
    if size > room:
        raise quota_reached(visit.rules, size)
    # Over the room it is refused at its commit, which can tell by how much.
    return most, limit


def store_file(visit: Visit, new: NewFile, spool: Spool) -> Reply:
    """Keep the content and commit the file; the answer that storage clients want."""
    content_type = settle_type(new.content_type, spool.head)
    new = with_changes(new, content_type=content_type, picture=_measured(visit, new.bucket, content_type, spool))
    told = json.dumps([spool.sha256, new.content_type, new.cache_control, new.metadata, new.replace])
    # A repeated request has the same file, not the same boundary.
    visit = with_changes(visit, call=with_changes(visit.call, body=told.encode(), headers=_plain(visit.call)))

    def commit(adopt: Adopt) -> Reply:
        def work(tx: WriteTx, caller: Caller) -> Reply:
            visit.check_token(caller.rules.bucket(tx, new.bucket), writes=True)
            row = put_file(tx, new, adopt(tx), caller)
            answer = {"Id": row["id"], "Key": f"{row['bucket']}/{row['name']}"}
            return Reply(200, json.dumps(answer, ensure_ascii=False))

        return visit.write("file.put", work)

    with visit.services.vault(visit.entry) as vault:
        return keep_content(visit.services.site.store, vault, spool, visit.call.now, commit)


def _measured(visit: Visit, bucket: str, content_type: str, spool: Spool) -> tuple[int, int] | None:
    """Width and height of a picture for a charter that keeps a row of it."""
    known = visit.rules.declared.get(bucket)
    if known is None or known.rows is None or not content_type.startswith("image/"):
        return None
    with spool.path.open("rb") as content:
        return picture_size(content.read(LEADING_BYTES))


def _plain(call: Call) -> list[tuple[str, str]]:
    """The headers without the content type, which for a form holds a boundary made up for each request."""
    return [(name, value) for name, value in call.headers if name != "content-type"]


def _described(call: Call, body: object, new: NewFile) -> NewFile:
    """The file as the form's fields, or the request's headers, describe it."""
    if isinstance(body, FormBody):
        cache, metadata, declared = body.fields.get("cacheControl"), body.fields.get("metadata"), body.content_type
    else:
        cache, metadata = call.header("cache-control"), _decoded(call.header("x-metadata"))
        declared = call.header("content-type") or ""
    return with_changes(
        new, content_type=declared, cache_control=check_cache_control(cache), metadata=check_metadata(metadata)
    )


def _decoded(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError) as exc:
        raise Invalid("x-metadata: wanted base64 of a JSON object", field="x-metadata") from exc
