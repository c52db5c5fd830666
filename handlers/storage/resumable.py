"""`/upload/resumable`: files in parts, over as many requests as it takes. Knows the protocol; parts are the engine's.

Source: tus.io, resumable upload protocol 1.0, with its extensions creation, creation-with-upload, termination and
expiration. A part that breaks off is kept as far as it came.
"""

import base64
import binascii
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from dataclasses import replace as with_changes

from db.errors import Conflict, Invalid, NotFound, PreconditionFailed
from db.files.names import check_name
from db.files.resumable import (
    Progress,
    Upload,
    add_part,
    begin_upload,
    end_upload,
    find_upload,
    finish_upload,
    read_parts,
    unfinished_bytes,
)
from db.files.spool import Spool
from db.files.table import Caller, NewFile, check_cache_control, check_metadata, quota_reached, room_left
from db.transaction import ReadTx
from db.vault.work_folder import work_folder
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services
from handlers.storage.downloads import http_date
from handlers.storage.objects import wants_upsert
from handlers.storage.uploads import enter_by_upload_link, largest, store_file
from handlers.storage.visit import Visit, enter

VERSION = "1.0.0"
_PART_TYPE = "application/offset+octet-stream"
_EXTENSIONS = "creation,creation-with-upload,termination,expiration"
_TUS = ("Tus-Resumable", VERSION)


def options(services: Services, call: Call) -> Reply:
    """What the protocol can do here."""
    most = ("Tus-Max-Size", str(services.settings.file_bytes))
    return Reply(204, headers=(_TUS, ("Tus-Version", VERSION), ("Tus-Extension", _EXTENSIONS), most))


def begin(services: Services, call: Call) -> "PartUpload":
    """Begin an upload; its body may bring the first part. Raises as an upload in one body does, before any byte."""
    _check_version(call)
    told = _metadata(call)
    bucket, name = told.get("bucketName", ""), check_name(told.get("objectName", ""))
    signature = call.header("x-signature")
    if signature:
        visit, replaces = enter_by_upload_link(services, call, bucket, name, signature)
    else:
        visit, replaces = enter(services, call), wants_upsert(call)
    length = _number(call, "upload-length")
    new = NewFile(
        bucket,
        name,
        told.get("contentType", ""),
        check_cache_control(told.get("cacheControl")),
        check_metadata(told.get("metadata")),
        replaces,
    )
    largest(visit, new, str(length))
    caller, room = visit.read(lambda tx, caller: (caller, _room(tx, caller, new)))[0]
    store, vault_id = services.site.store, visit.entry.id
    if length > room - unfinished_bytes(store, vault_id):
        raise quota_reached(visit.rules, length)
    asker = caller.principal.actor_id
    upload = Upload(call.now.new_id(), asdict(new), length, asker, call.now.ms, by_link=visit.signer is not None)
    begin_upload(store, vault_id, upload, call.now)
    progress = Progress(upload, (), 0, None)
    return PartUpload(visit, progress, created=True)


def add(services: Services, call: Call) -> "PartUpload":
    """Receive the next part. Raises Conflict `offset_wrong` when it begins elsewhere than the upload stands."""
    _check_version(call)
    visit, progress = _going_on(services, call)
    if (call.header("content-type") or "").strip().lower() != _PART_TYPE:
        raise Invalid(f"wanted content type {_PART_TYPE}", code="content_type_invalid", field="content-type")
    given = _number(call, "upload-offset")
    if given != progress.offset:
        raise Conflict(f"got a part from byte {given}, the upload stands at {progress.offset}", code="offset_wrong")
    _require_room(visit, progress)
    return PartUpload(visit, progress, created=False)


def head(services: Services, call: Call) -> Reply:
    """Where an upload stands. One whose last request was killed before its file was there is finished now."""
    _check_version(call)
    visit, progress = _going_on(services, call)
    if progress.offset == progress.upload.length and progress.done is None:
        _finish(visit, progress)
    return Reply(200, headers=(*_standing(progress), ("Upload-Length", str(progress.upload.length))))


def end(services: Services, call: Call) -> Reply:
    """Give an upload up. One that is complete stays the file it is."""
    _check_version(call)
    visit, progress = _going_on(services, call)
    end_upload(services.site.store, visit.entry.id, progress, call.now)
    return Reply(204, headers=(_TUS,))


class PartUpload:
    """A part that is being received."""

    def __init__(self, visit: Visit, progress: Progress, *, created: bool) -> None:
        self._visit = visit
        self._progress = progress
        self._created = created
        self._held = ExitStack()
        folder = self._held.enter_context(work_folder(visit.services.settings.cache / "uploads"))
        left = progress.upload.length - progress.offset
        self._spool = self._held.enter_context(Spool(folder / "part", left, "what is left of this upload"))

    def feed(self, part: bytes) -> None:
        """Take the next bytes. Raises TooLarge for more than were announced."""
        self._spool.write(part)

    def finish(self) -> Reply:
        """Keep the part; with the last one, the file."""
        progress = self._kept()
        if progress.offset == progress.upload.length and progress.done is None:
            _finish(self._visit, progress)
        if not self._created:
            return Reply(204, headers=_standing(progress))
        # Relative to the address of the request, so that it holds behind whatever stands before us.
        place = f"{self._visit.call.url_path.rpartition('/')[2]}/{progress.upload.id}"
        return Reply(201, headers=(*_standing(progress), ("Location", place)))

    def broken_off(self) -> None:
        """Keep what came."""
        self._kept()

    def close(self) -> None:
        """Remove what was received."""
        self._held.close()

    def _kept(self) -> Progress:
        self._spool.close()
        if self._spool.size == 0:
            return self._progress
        services, vault_id = self._visit.services, self._visit.entry.id
        add_part(services.site.store, vault_id, self._progress, self._spool, self._visit.call.now)
        return find_upload(services.site.store, vault_id, self._progress.upload.id, self._visit.call.now)


def _going_on(services: Services, call: Call) -> tuple[Visit, Progress]:
    """The upload that the path names, for whoever began it. Raises NotFound, Gone, Forbidden."""
    signature = call.header("x-signature")
    visit = enter(services, call) if not signature else None
    vault_id = services.entry(call.path["vault"]).id
    progress = find_upload(services.site.store, vault_id, _upload_id(call), call.now)
    upload = progress.upload
    if visit is None:
        place = (str(upload.file["bucket"]), str(upload.file["name"]))
        visit = enter_by_upload_link(services, call, *place, signature)[0]
    asker = visit.read(lambda tx, caller: caller.principal.actor_id)[0]
    if (asker, visit.signer is not None) != (upload.asker, upload.by_link):
        raise NotFound("no such upload, or it was ended", code="upload_not_found")
    return visit, progress


def _finish(visit: Visit, progress: Progress) -> None:
    """Put the parts together and commit the file, once, however often this is begun."""
    upload, services = progress.upload, visit.services
    once = [("idempotency-key", f"upload {upload.id}")]
    call = with_changes(visit.call, method="PATCH", url_path="", query=[], headers=once)
    with ExitStack() as held:
        folder = held.enter_context(work_folder(services.settings.cache / "uploads"))
        spool = held.enter_context(Spool(folder / "content", upload.length, "this upload"))
        for chunk in read_parts(services.site.store, progress):
            spool.write(chunk)
        spool.close()
        new = NewFile(**upload.file)
        answer = store_file(with_changes(visit, call=call), new, spool)
    finish_upload(services.site.store, visit.entry.id, progress, answer.body, visit.call.now)


def _require_room(visit: Visit, progress: Progress) -> None:
    """Raise TooLarge where the parts of unfinished uploads fill the vault: each may have begun while there was room."""
    new = NewFile(**progress.upload.file)
    room = visit.read(lambda tx, caller: _room(tx, caller, new))[0]
    if unfinished_bytes(visit.services.site.store, visit.entry.id) >= room and progress.offset < progress.upload.length:
        raise quota_reached(visit.rules, progress.upload.length)


def _room(tx: ReadTx, caller: Caller, new: NewFile) -> int:
    return room_left(tx, caller.rules, new.bucket, new.name)


def _standing(progress: Progress) -> tuple[tuple[str, str], ...]:
    return (
        _TUS,
        ("Upload-Offset", str(progress.offset)),
        ("Upload-Expires", http_date(progress.upload.expires_at)),
        ("Cache-Control", "no-store"),
    )


def _check_version(call: Call) -> None:
    if call.header("tus-resumable") != VERSION:
        raise PreconditionFailed(
            f"got Tus-Resumable {call.header('tus-resumable')!r}, wanted {VERSION}", code="tus_version"
        )


def _metadata(call: Call) -> Mapping[str, str]:
    """Names and values of `Upload-Metadata`. Raises Invalid."""
    told: dict[str, str] = {}
    for pair in (call.header("upload-metadata") or "").split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            told[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError) as exc:
            raise Invalid(f"Upload-Metadata: {name[:40]!r} is not base64 of UTF-8", field="upload-metadata") from exc
    return told


def _number(call: Call, name: str) -> int:
    given = call.header(name)
    if given is None or not given.isdecimal() or len(given) > 15:
        raise Invalid(f"{name}: got {given!r}, wanted a whole number of bytes", field=name)
    return int(given)


def _upload_id(call: Call) -> str:
    given = call.path["upload"]
    if not all(known in "0123456789abcdef-" for known in given) or len(given) != 36:
        raise NotFound("no such upload, or it was ended", code="upload_not_found")
    return given
