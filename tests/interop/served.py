"""The application behind a real HTTP server on this machine, for published clients. Stops when the block ends."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from db.clock import system_moment
from handlers.server import listen, server_app
from handlers.services import Services
from tests.handlers.http.site import Choir, Site, make_choir, make_site

OWNER, MARI, KADRI = "liis@aurora.example", "mari@aurora.example", "kadri@aurora.example"


@contextmanager
def served(services: Services, listener: socket.socket | None = None) -> Iterator[str]:
    """The address of the running server. listener: where it listens, for services that have to know it before."""
    listener = listener or listen("127.0.0.1", 0)
    config = uvicorn.Config(server_app(services), access_log=False, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
        services.close()


def open_aurora(folder: Path) -> tuple[Site, Choir]:
    """A choir with an owner, a librarian and a singer, and the clock of this machine."""
    site = make_site(folder, system_moment)
    choir = make_choir(site, "aurora", owner=OWNER)
    site.add_member(choir, "Mari", MARI, ["librarian"])
    site.add_member(choir, "Kadri", KADRI)
    return site, choir
