"""Whom the server takes a caller for: the address of the connection, unless the operator says that proxies stand
in front."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from handlers.server import http_server, listen
from tests.handlers.http.site import Clock, Site, make_choir, make_site


@contextmanager
def served(site: Site) -> Generator[str]:
    """The address at which the site is served over the loopback."""
    with listen("127.0.0.1", 0) as listener:
        server = http_server(site.services)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            deadline = time.monotonic() + 20
            while not server.started and time.monotonic() < deadline:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def status_of(address: str, forwarded_for: str) -> int:
    request = Request(f"{address}/public/v1/choir/organization.list_public", headers={"X-Forwarded-For": forwarded_for})
    try:
        with urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except HTTPError as refusal:
        return refusal.code


@pytest.mark.parametrize(("proxies", "last"), [("0", 429), ("1", 200)])
def test_a_made_up_address_counts_as_far_as_the_operator_says(
    tmp_path: Path, clock: Clock, proxies: str, last: int
) -> None:
    site = make_site(tmp_path, clock, public_reads="3", proxies=proxies)
    try:
        make_choir(site, "aurora")
        with served(site) as address:
            found = [status_of(address, f"198.51.{number}.1") for number in range(4)]
        assert found == [200, 200, 200, last]
    finally:
        site.services.close()
