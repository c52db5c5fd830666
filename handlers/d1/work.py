"""What an import and an export do, whoever has them done. Joins the vault, the store and the text; keeps no job."""

from collections.abc import Callable, Iterator
from typing import Any

from db.errors import NotFound
from db.idempotency import request_digest
from db.registry.database_jobs import DatabaseJob
from db.registry.directory import VaultEntry
from db.schema.declared_objects import declared_objects
from db.sql.splitting import stream_statements
from db.transfer.dump import DumpOptions
from db.transfer.exporting import keep_export, write_dump, write_file
from db.transfer.fresh import fresh_objects
from db.transfer.importing import Text, import_text
from db.transfer.loading import MOST_CHARACTERS, texts_of
from db.transfer.objects import checked, import_key, read_object, stored_size
from domain.charters import CHARTERS
from handlers.services import Services

Outcome = tuple[dict[str, Any], list[str]]


def run_job(services: Services, entry: VaultEntry, job: DatabaseJob, go_on: Callable[[], None]) -> Outcome:
    """The result of the job, and lines for people. go_on: called now and then; raises to stop."""
    return _import(services, entry, job, go_on) if job.kind == "import" else _export(services, entry, job, go_on)


def _import(services: Services, entry: VaultEntry, job: DatabaseJob, go_on: Callable[[], None]) -> Outcome:
    store, etag, kind = services.site.store, job.etag or "", services.kind(services.charter(entry))
    key = import_key(entry.id, job.filename)
    size = stored_size(store, key)
    if size is None:
        raise NotFound(f"the file {job.filename} is not there; upload it and begin again", code="file_missing")

    def statements() -> Iterator[str]:
        pieces = checked(read_object(store, key, size), etag)
        return stream_statements(texts_of(pieces), MOST_CHARACTERS)

    # Whoever brings the schema may change all of it.
    protected = declared_objects(kind.sets) if services.charter(entry).resources else frozenset[str]()
    digest, sealed = request_digest(b"import", etag.encode()), bool(job.options.get("sealed", True))
    text = Text(job.id, digest, statements, protected, go_on, sealed)
    with services.vault(entry) as vault:
        told = import_text(vault, services.site, kind, text, job.actor, services.clock())
    count = told["num_queries"]
    return told, [f"Processed {count} queries."]


def _export(services: Services, entry: VaultEntry, job: DatabaseJob, go_on: Callable[[], None]) -> Outcome:
    with services.quiet_vault(entry) as vault, vault.scratch() as folder:
        path = folder / job.filename
        if job.options["format"] == "sqlite":
            write_file(vault, job.at_bookmark, path)
        else:
            present = fresh_objects(services.kind(CHARTERS["blank"]).sets)
            tables = job.options["tables"]
            options = DumpOptions(job.options["schema"], job.options["data"], tables, present)
            write_dump(vault, job.at_bookmark, path, options, go_on)
        size = path.stat().st_size
        go_on()
        keep_export(services.site.store, entry.id, job.filename, path, services.clock())
    return {"filename": job.filename, "size": size}, [f"Uploaded part 1 ({size} bytes)"]
