"""`vaultry serve`: the application on one machine, a demo tenant on an empty store. Knows uvicorn, threads."""

import asyncio
import csv
import os
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from db.clock import Moment
from db.errors import Unavailable
from db.events import send_events_to
from db.principal import Principal
from db.registry.directory import VaultEntry, list_vaults
from db.transaction import Actor, WriteTx
from domain.charter import Charter, Demo, DemoFile
from domain.charters import CHARTERS
from handlers.app import Run, create_app
from handlers.http.reply import Reply
from handlers.imports.row_import import Importing, import_rows
from handlers.jobs.scheduler import Scheduler
from handlers.services import Services
from handlers.tenant.provisioning import Provisioned, member_of, provision

if TYPE_CHECKING:
    import uvicorn

# Writers wait for the disk or the store and share a commit meanwhile: threads are what makes groups.
REQUEST_THREADS = 64
READERS = 2
DEMO_CHARTER = "choir"
_ACTOR = Actor("operator", "operator", "serve", "demo.load")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can sign in to the demo tenant."""

    name: str
    email: str
    roles: tuple[str, ...]


def server_app(services: Services) -> Starlette:
    """The application with every request's work in a thread of its own, off the event loop."""

    def in_threads(name: str) -> Run:
        threads = ThreadPoolExecutor(REQUEST_THREADS, thread_name_prefix=name)

        async def in_thread(work: Callable[[], Reply]) -> Reply:
            return await asyncio.get_running_loop().run_in_executor(threads, work)

        return in_thread

    # A statement may run for many seconds: whoever sends none of them waits for none.
    return create_app(services, in_threads("request"), in_threads("sql"))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 = any free one. Raises Unavailable (address_in_use) when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as exc:
        # The error's own text repeats the address; a name that cannot be resolved has a number of another kind.
        reason = os.strerror(exc.errno) if exc.errno is not None and exc.errno > 0 else exc.strerror
        raise Unavailable(
            f"cannot listen on {host} port {port}: {reason}",
            code="address_in_use",
            hint="choose another with --port, or end the program that has it",
        ) from exc
    # Inherited by every connection, and asyncio sets it on sockets of its own making only: without it the body of an
    # answer waits 40 ms for the client to acknowledge the head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(services: Services, listener: socket.socket) -> None:
    """Serve until interrupted; maintenance runs beside it. Open commits are finished before this returns."""
    server = http_server(services)
    upkeep = Scheduler(services)
    upkeep.start()
    send_events_to(line_writer(services.settings.log))
    try:
        # Not asyncio.run: that takes asyncio's own event loop, also where uvloop is installed.
        server.run([listener])
    finally:
        upkeep.stop()
        services.close()
        send_events_to(None)


def http_server(services: Services) -> "uvicorn.Server":
    """The server of the application, not started yet."""
    import uvicorn  # here: only this command needs it

    # VAULTRY_PROXIES decides whom a forwarded address is believed: uvicorn would believe whoever is on this machine.
    config = uvicorn.Config(server_app(services), access_log=False, log_level="warning", proxy_headers=False)
    return uvicorn.Server(config)


def line_writer(form: str) -> Callable[[str], object]:
    """Writes lines to standard error, as `configure_log` has them. form: json or text."""
    if form == "json":
        return lambda line: sys.stderr.write(f"{line}\n")

    def write(line: str) -> None:
        now = time.time()
        sys.stderr.write(f"{_second(int(now))},{int(now * 1000) % 1000:03d} INFO {line}\n")

    return write


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def is_empty(services: Services) -> bool:
    """Whether there is no tenant yet, a deleted one included."""
    return services.registry_read(lambda tx: not any(list_vaults(tx, status=s).total for s in (None, "deleted")))


def load_demo(services: Services, progress: Callable[[str, int, int], None]) -> Provisioned:
    """Provision the demo tenant by the same path as any other. progress: told the file, rows done, rows in all.

    It enters the directory when it is complete: interrupted before, the next call starts over.
    """
    charter = CHARTERS[DEMO_CHARTER]
    demo = _demo_of(charter)

    def fill(entry: VaultEntry) -> None:
        principal = member_of(services, entry, demo.founding.owner_email)
        for file in demo.files:
            _load_file(services, demo, entry, principal, file, progress)
        with services.vault(entry) as vault:
            for email in demo.sign_ins:
                now = services.clock()
                vault.write(partial(_register, demo, principal, email, now), _ACTOR, now)
            if demo.play is not None:
                now = services.clock()
                vault.write(partial(_play, demo.play, principal, now), _ACTOR, now)

    return provision(services, charter.name, demo.founding, _ACTOR, fill)


def demo_people(services: Services, entry: VaultEntry) -> list[Person]:
    """Who can sign in to the demo tenant, the owner first."""
    charter = services.charter(entry)
    demo = _demo_of(charter)
    people = [member_of(services, entry, email) for email in (demo.founding.owner_email, *demo.sign_ins)]
    return [Person(person.name, person.email, _roles(charter, person)) for person in people]


def public_table(charter: Charter) -> str | None:
    """A table of the demo that guests may read, or None."""
    loaded = [file.target for file in _demo_of(charter).files]
    open_to_all = {known.table for known in charter.resources if any(way.permission is None for way in known.read)}
    return next((table for table in loaded if table in open_to_all), None)


def _demo_of(charter: Charter) -> Demo:
    if charter.demo is None:
        raise AssertionError(f"the charter {charter.name} has no demo")
    return charter.demo


def _roles(charter: Charter, person: Principal) -> tuple[str, ...]:
    """The roles whose permissions the person holds, without those that another of them contains."""
    held = {name: allowed for name, allowed in charter.roles.items() if allowed and allowed <= person.permissions}
    return tuple(name for name, allowed in held.items() if not any(allowed < other for other in held.values()))


def _register(demo: Demo, principal: Principal, email: str, now: Moment, tx: WriteTx) -> None:
    demo.register(tx, principal, email, now)


def _play(play: Callable[[WriteTx, Principal, Moment], None], principal: Principal, now: Moment, tx: WriteTx) -> None:
    play(tx, principal, now)


def _load_file(
    services: Services,
    demo: Demo,
    entry: VaultEntry,
    principal: Principal,
    file: DemoFile,
    progress: Callable[[str, int, int], None],
) -> None:
    with (demo.folder / file.file).open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    importing = Importing(services, entry, file.target, principal, _ACTOR)
    import_rows(importing, rows, lambda done: progress(file.file, done, len(rows)))
