"""`export`: begun, asked for again until it is done, fetched by a signed address. The work is done elsewhere."""

from typing import Any

from db.errors import Gone, Invalid
from db.fields import is_json_list, is_json_object
from db.registry.database_jobs import DatabaseJob, NewJob, begin_job, newest_job
from db.transfer.objects import export_key, read_object, stored_size
from handlers.d1.access import enter
from handlers.d1.envelope import success
from handlers.d1.links import download_address, open_address
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

# Clients ask again at once: the answer takes its time instead.
POLL_S = 1.0
_MOST_TABLES = 1_000
_TYPES = {"sql": "application/sql", "sqlite": "application/vnd.sqlite3"}


def export(services: Services, call: Call) -> Reply:
    """Begin an export of the database as it is now, or tell how far one has come."""
    access, body = enter(services, call), call.json_object()
    if body.get("output_format") != "polling":
        raise Invalid("Invalid property: output_format => wanted polling", field="output_format")
    vault_id, bookmark = access.entry.id, body.get("current_bookmark")
    if bookmark:
        job = services.registry_read(
            lambda tx: newest_job(tx, vault_id, "export", bookmark=str(bookmark)), current=True
        )
        if job is None:
            return success(_idle())
    else:
        options = _options(body.get("dump_options"))
        with services.quiet_vault(access.entry) as vault:
            at = vault.read(lambda tx: None, call.freshness).bookmark
        new = NewJob(vault_id, "export", at, f"{{id}}.{options['format']}", access.actor(call, "d1.export"), options)
        job = services.registry_write(lambda tx: begin_job(tx, new, call.now), new.actor, call.now)
    return success(_told(services, call, services.database_jobs.follow(job, POLL_S)))


def download(services: Services, call: Call) -> Reply:
    """The file of an export, to whoever brings its address."""
    vault_id, filename = open_address(services, call, "export download")
    store, key = services.site.store, export_key(vault_id, filename)
    size = stored_size(store, key)
    if size is None:
        raise Gone("this export is gone; begin another", code="link_expired")
    headers = (("Content-Length", str(size)), ("Content-Disposition", f'attachment; filename="{filename}"'))
    content = () if call.method == "HEAD" else read_object(store, key, size)
    return Reply(200, "", _TYPES[filename.rpartition(".")[2]], headers, content)


def _options(given: Any) -> dict[str, Any]:
    """What of the database is wanted. Raises Invalid."""
    options: dict[str, Any] = {} if given is None else given
    if not is_json_object(given or {}):
        raise Invalid("Invalid property: dump_options => wanted an object", field="dump_options")
    tables = options.get("tables")
    if tables is not None and (not is_json_list(tables) or len(tables) > _MOST_TABLES):
        raise Invalid("Invalid property: dump_options.tables => wanted a list of names", field="tables")
    schema, data, form = not options.get("no_schema"), not options.get("no_data"), options.get("format", "sql")
    if not schema and not data:
        raise Invalid("Invalid property: dump_options => no_schema and no_data leave nothing", field="dump_options")
    if form not in _TYPES:
        raise Invalid("Invalid property: dump_options.format => wanted sql or sqlite", field="format")
    if form == "sqlite" and (tables or not schema or not data):
        raise Invalid("Invalid property: dump_options.format => sqlite is the whole database", field="format")
    return {
        "schema": schema,
        "data": data,
        "tables": [str(name) for name in tables] if tables else None,
        "format": form,
    }


def _told(services: Services, call: Call, job: DatabaseJob) -> dict[str, Any]:
    told: dict[str, Any] = {
        "success": True,
        "type": "export",
        "status": job.status,
        "at_bookmark": job.at_bookmark,
        "messages": list(job.messages),
    }
    if job.error is not None:
        told |= {"error": job.error, "errors": [job.error]}
    if job.result is not None:
        address = download_address(services, call, job.vault_id, job.filename)
        told["result"] = {"filename": job.filename, "signed_url": address}
    return told


def _idle() -> dict[str, Any]:
    text = "Not currently exporting anything."
    return {"success": False, "type": "export", "error": text, "errors": [text], "messages": []}
