"""`vaultry serve`: the application on one machine, a demo tenant on an empty store. Knows uvicorn, threads."""

import asyncio
import csv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from starlette.applications import Starlette

from db.clock import Moment
from db.principal import Principal
from db.registry.directory import list_vaults
from db.retention import Retention
from db.transaction import Actor, WriteTx
from domain.charter import Charter, Demo, DemoFile
from domain.charters import CHARTERS
from handlers.app import create_app
from handlers.maintenance import maintain
from handlers.reply import Reply
from handlers.services import Services
from handlers.tenants import Importing, Provisioned, import_rows, member_of, provision

# Writers wait for the disk or the store and share a commit meanwhile: threads are what makes groups.
REQUEST_THREADS = 64
READERS = 2
MAINTENANCE_S = 60
DEMO_CHARTER = "choir"
_ACTOR = Actor("operator", "operator", "serve", "demo.load")


def server_app(services: Services) -> Starlette:
    """The application with every request's work in a thread of its own, off the event loop."""
    threads = ThreadPoolExecutor(REQUEST_THREADS, thread_name_prefix="request")

    async def in_thread(work: Callable[[], Reply]) -> Reply:
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    return create_app(services, in_thread)


def serve(services: Services, host: str, port: int) -> None:
    """Serve until interrupted; maintenance runs beside it. Open commits are finished before this returns."""
    import uvicorn  # here: only this command needs it

    config = uvicorn.Config(server_app(services), host=host, port=port, access_log=False, log_level="warning")
    server = uvicorn.Server(config)

    async def run() -> None:
        upkeep = asyncio.create_task(_maintain_forever(services))
        try:
            await server.serve()
        finally:
            upkeep.cancel()
            with suppress(asyncio.CancelledError):
                await upkeep

    try:
        asyncio.run(run())
    finally:
        services.close()


async def _maintain_forever(services: Services) -> None:
    settings = services.settings
    keep = Retention(points_days=settings.retention_days, commits_hours=settings.level0_hours)
    while True:
        await asyncio.sleep(MAINTENANCE_S)
        await asyncio.to_thread(maintain, services, keep)


def is_empty(services: Services) -> bool:
    """Whether there is no tenant yet, a deleted one included."""
    return services.registry_read(lambda tx: not any(list_vaults(tx, status=s).total for s in (None, "deleted")))


def load_demo(services: Services, progress: Callable[[str, int, int], None]) -> Provisioned:
    """Provision the demo tenant by the same path as any other. progress: told the file, rows done, rows in all."""
    charter = CHARTERS[DEMO_CHARTER]
    demo = charter.demo
    if demo is None:
        raise AssertionError("the demo charter has a demo")
    provisioned = provision(services, charter.name, demo.founding, _ACTOR)
    principal = member_of(services, provisioned.entry, demo.founding.owner_email)
    for file in demo.files:
        _load_file(services, charter, provisioned, principal, file, progress)
    with services.vault(provisioned.entry) as vault:
        for email in demo.sign_ins:
            now = services.clock()
            vault.write(partial(_register, demo, principal, email, now), _ACTOR, now)
    return provisioned


def _register(demo: Demo, principal: Principal, email: str, now: Moment, tx: WriteTx) -> None:
    demo.register(tx, principal, email, now)


def _load_file(
    services: Services,
    charter: Charter,
    provisioned: Provisioned,
    principal: Principal,
    file: DemoFile,
    progress: Callable[[str, int, int], None],
) -> None:
    assert charter.demo is not None
    with (charter.demo.folder / file.file).open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    importing = Importing(services, provisioned.entry, file.target, principal, _ACTOR)
    import_rows(importing, rows, lambda done: progress(file.file, done, len(rows)))
