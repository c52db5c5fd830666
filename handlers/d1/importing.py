"""`import`: a file announced, taken in, asked after until it is done. The work is done elsewhere.

The file of an MD5 is one object, and as long as nobody wrote to the database since, an import of it is not done again:
a client that lost the answer may begin from the start.
"""

import re
from typing import Any

from db.errors import Invalid
from db.log.bookmark import parse_bookmark
from db.registry.database_jobs import DatabaseJob, NewJob, begin_job, newest_job
from db.transfer.objects import stored_size
from handlers.call import Call
from handlers.d1.access import Access, enter
from handlers.d1.envelope import success
from handlers.d1.exporting import POLL_S
from handlers.d1.links import upload_address
from handlers.reply import Reply
from handlers.services import Services

_ETAG = re.compile(r"[0-9a-f]{32}")
_AGAIN = "This very file was imported already, and nothing was written since: it was not imported again."


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
    if stored_size(services.site.store, access.entry.id, filename) is not None:
        return _take_in(services, call, access, etag)
    address = upload_address(services, call, access.entry.id, filename)
    return {"success": True, "type": "import", "filename": filename, "upload_url": address, "messages": []}


def _ingest(services: Services, call: Call, access: Access, etag: str, filename: Any) -> dict[str, Any]:
    if filename != file_of(etag):
        raise Invalid(f"Invalid property: filename => wanted the one of `init`, {file_of(etag)}", field="filename")
    if stored_size(services.site.store, access.entry.id, filename) is None:
        raise Invalid("Invalid property: filename => nothing was uploaded under this name", field="filename")
    return _take_in(services, call, access, etag)


def _take_in(services: Services, call: Call, access: Access, etag: str) -> dict[str, Any]:
    """Begin the import, or go on with the one of the same file."""
    vault_id = access.entry.id
    with services.quiet_vault(access.entry) as vault:
        at = vault.read(lambda tx: None, call.freshness).bookmark
    last = services.registry_read(lambda tx: newest_job(tx, vault_id, "import", etag=etag), current=True)
    if last is not None and last.result is not None and last.result["final_bookmark"] == at:
        told = _told(last)
        return {**told, "messages": [*told["messages"], _AGAIN]}
    new = NewJob(vault_id, "import", at, file_of(etag), access.actor(call, "d1.import"), {}, etag)
    job = services.registry_write(lambda tx: begin_job(tx, new, call.now), new.actor, call.now)
    return _told(services.database_jobs.follow(job, POLL_S))


def _poll(services: Services, access: Access, bookmark: Any) -> dict[str, Any]:
    vault_id = access.entry.id
    asked = str(parse_bookmark(str(bookmark))) if bookmark else None
    job = services.registry_read(lambda tx: newest_job(tx, vault_id, "import", bookmark=asked), current=True)
    if job is None:
        text = "Not currently importing anything."
        return {"success": False, "type": "import", "error": text, "errors": [text], "messages": []}
    return _told(services.database_jobs.follow(job, POLL_S))


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
