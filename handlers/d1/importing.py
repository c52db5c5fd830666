"""`import`: a file announced, taken in, asked after until it is done. The work is done elsewhere.

The file of an MD5 is one object. Sent again it is imported again, as people expect who run a file twice; but not
while its import is under way, nor while nobody was told how it ended: a client that lost the answer may begin from the
start.
"""

import re
from contextlib import suppress
from typing import Any

from db.errors import Invalid, TooLarge, VaultError
from db.log.bookmark import parse_bookmark
from db.registry.database_jobs import DatabaseJob, NewJob, begin_job, mark_told, newest_job
from db.transfer.objects import import_key, stored_size
from handlers.d1.access import Access, enter
from handlers.d1.envelope import success
from handlers.d1.exporting import POLL_S
from handlers.d1.links import upload_address
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

_ETAG = re.compile(r"[0-9a-f]{32}")
_AGAIN = "This is how the import of this file ended, of which nobody had been told; it was not imported again."
# How long the packages' own repeats of one request go on: three tries of a minute each.
_REPEATS_S = 180


def take_in(services: Services, call: Call) -> Reply:
    """One step of an import: `init`, `ingest` or `poll`."""
    access, body = enter(services, call, writes=True), call.json_object()
    action = body.get("action")
    if action == "init":
        return success(_init(services, call, access, _etag(body)))
    if action == "ingest":
        return success(_ingest(services, call, access, _etag(body), body.get("filename")))
    if action == "poll":
        return success(_poll(services, access, body.get("current_bookmark")))
    raise Invalid("Invalid property: action => wanted init, ingest or poll", field="action")


def file_of(etag: str) -> str:
    """The name of the object that holds the file of this MD5."""
    return f"{etag}.sql"


def _init(services: Services, call: Call, access: Access, etag: str) -> dict[str, Any]:
    """Where to upload the file; one that is here already is taken in at once."""
    filename = file_of(etag)
    if stored_size(services.site.store, import_key(access.entry.id, filename)) is not None:
        known = _newest(services, access, etag)
        if known is not None and _is_the_same(call, known):
            return _followed(services, known, untold=known.told_at is None)
        return _begin(services, call, access, etag)
    address = upload_address(services, call, access.entry.id, filename)
    return {"success": True, "type": "import", "filename": filename, "upload_url": address, "messages": []}


def _ingest(services: Services, call: Call, access: Access, etag: str, filename: Any) -> dict[str, Any]:
    if filename != file_of(etag):
        raise Invalid(f"Invalid property: filename => wanted the one of `init`, {file_of(etag)}", field="filename")
    size = stored_size(services.site.store, import_key(access.entry.id, filename))
    most = services.settings.import_bytes
    if size is None:
        raise Invalid("Invalid property: filename => nothing was uploaded under this name", field="filename")
    if size > most:
        raise TooLarge(f"the file has {size} bytes, an import takes {most} at most (VAULTRY_IMPORT_BYTES)")
    known = _newest(services, access, etag)
    # It was begun by `init`, if at all: this request is sent again.
    if known is not None and known.status != "error":
        return _followed(services, known)
    return _begin(services, call, access, etag)


def _newest(services: Services, access: Access, etag: str) -> DatabaseJob | None:
    return services.registry_read(lambda tx: newest_job(tx, access.entry.id, "import", etag=etag), current=True)


def _is_the_same(call: Call, known: DatabaseJob) -> bool:
    """Whether who asks for an import of this file asks for the one that is known."""
    if known.status == "error":
        return False
    repeats = call.header("x-stainless-retry-count") not in (None, "0")
    recent = known.created_at > call.now.later(seconds=-_REPEATS_S)
    return known.status == "active" or known.told_at is None or (repeats and recent)


def _begin(services: Services, call: Call, access: Access, etag: str) -> dict[str, Any]:
    """Begin the import."""
    with services.quiet_vault(access.entry) as vault:
        at = vault.read(lambda tx: None, call.freshness).bookmark
    options = {"sealed": access.identity.kind != "operator"}
    new = NewJob(access.entry.id, "import", at, file_of(etag), access.actor(call, "d1.import"), options, etag)
    return _followed(services, services.registry_write(lambda tx: begin_job(tx, new, call.now), new.actor, call.now))


def _poll(services: Services, access: Access, bookmark: Any) -> dict[str, Any]:
    vault_id = access.entry.id
    asked = str(parse_bookmark(str(bookmark))) if bookmark else None
    job = services.registry_read(lambda tx: newest_job(tx, vault_id, "import", bookmark=asked), current=True)
    if job is None:
        text = "Not currently importing anything."
        return {"success": False, "type": "import", "error": text, "errors": [text], "messages": []}
    return _followed(services, job)


def _followed(services: Services, job: DatabaseJob, *, untold: bool = False) -> dict[str, Any]:
    """How the job stands after a moment. untold: it may have ended for somebody else, who was not told."""
    ended = job.status == "complete"
    job, now = services.database_jobs.follow(job, POLL_S), services.clock()
    if job.status != "active" and job.told_at is None:
        # Not kept: the next who sends the file is told this again.
        with suppress(VaultError):
            services.registry_write(lambda tx: mark_told(tx, job.id, now), job.actor, now)
    told = _told(job)
    return {**told, "messages": [*told["messages"], _AGAIN]} if untold and ended else told


def _told(job: DatabaseJob) -> dict[str, Any]:
    told: dict[str, Any] = {
        "success": True,
        "type": "import",
        "status": job.status,
        "at_bookmark": job.at_bookmark,
        "filename": job.filename,
        "messages": list(job.messages),
        "errors": [] if job.error is None else [job.error],
    }
    if job.error is not None:
        told["error"] = job.error
    if job.result is not None:
        told["result"] = dict(job.result)
    return told


def _etag(body: dict[str, Any]) -> str:
    given = body.get("etag")
    text = given.strip('"').lower() if isinstance(given, str) else ""
    if not _ETAG.fullmatch(text):
        raise Invalid("Invalid property: etag => wanted the MD5 of the file, 32 hex digits", field="etag")
    return text
