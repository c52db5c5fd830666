"""The D1 face behind a real HTTP server, for published clients: its own address is in the links it signs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from db.clock import system_moment
from handlers.server import listen
from tests.handlers.http.site import Site, make_site
from tests.interop.served import served

ACCOUNT = "vaultry"


@dataclass(frozen=True)
class D1Server:
    """A running server and an operator's token for it. base: as clients take it."""

    site: Site
    token: str
    base: str


@contextmanager
def d1_server(folder: Path, **settings: str) -> Iterator[D1Server]:
    """A server over an empty store, on any free port."""
    listener = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    site = make_site(folder, system_moment, base_url=address, **settings)
    with served(site.services, listener):
        yield D1Server(site, site.api_token(None), f"{address}/client/v4")
