"""The proxy of the fault tests: each fault is what its name says, and calls are counted by how they wait in turn."""

import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from tests.fault_proxy import PATIENCE_S, Exchange, Fault, FaultKind, FaultProxy, fault_proxy, serial_depth

LISTING = b"<List><Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents></List>"


@dataclass
class Upstream:
    """A server that answers everything with a listing, and the requests that reached it."""

    endpoint: str
    reached: list[str] = field(default_factory=list[str])
    arrived: threading.Event = field(default_factory=threading.Event)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.reached.append(f"{self.command} {self.path}")
            found.arrived.set()
            self.send_response(200)
            self.send_header("Content-Length", str(len(LISTING)))
            self.end_headers()
            self.wfile.write(LISTING)

        do_PUT = do_GET  # noqa: N815 - a name the base class looks for

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Upstream(f"http://127.0.0.1:{server.server_port}")
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    yield found
    server.shutdown()
    server.server_close()
    serving.join(PATIENCE_S)


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[FaultProxy]:
    upstream.reached.clear()
    upstream.arrived.clear()
    with fault_proxy(upstream.endpoint) as running:
        yield running


def ask(proxy: FaultProxy, method: str = "GET", path: str = "/bucket/key") -> tuple[int, bytes]:
    """Status and body; 0 when the connection broke or nothing came in time."""
    connection = http.client.HTTPConnection(urlsplit(proxy.endpoint).netloc, timeout=0.6)
    try:
        connection.request(method, path, body=b"x" if method == "PUT" else None)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("kind", "status", "reaches"),
    [
        ("500", 500, False),
        ("503", 503, False),
        ("lost", 0, False),
        ("dropped", 0, False),
        ("silent", 0, True),
        ("broken", 0, True),
        ("cut", 0, True),
        ("short", 200, True),
    ],
)
def test_a_fault_strikes_once_before_or_after_the_effect(
    upstream: Upstream, proxy: FaultProxy, kind: FaultKind, status: int, reaches: bool
) -> None:
    with proxy.breaking(Fault(kind, "PUT", "ke.$")):
        assert ask(proxy)[0] == 200, "another method"
        assert ask(proxy, "PUT", "/bucket/other")[0] == 200, "another key"
        upstream.reached.clear()
        assert ask(proxy, "PUT")[0] == status
        assert (upstream.reached == ["PUT /bucket/key"]) is reaches
        assert ask(proxy, "PUT")[0] == 200, "once"


def test_a_late_call_arrives_when_it_is_released(upstream: Upstream, proxy: FaultProxy) -> None:
    with proxy.breaking(Fault("late", "PUT")):
        assert ask(proxy, "PUT") == (0, b"")
    assert upstream.reached == []
    proxy.release()
    assert upstream.reached == ["PUT /bucket/key"]


def test_the_nth_call_is_struck_and_as_many_after_it_as_wanted(proxy: FaultProxy) -> None:
    with proxy.breaking(Fault("500", "GET", nth=2, times=2)):
        assert [ask(proxy)[0] for _ in range(4)] == [200, 500, 500, 200]


@pytest.mark.parametrize(
    ("kind", "keys"),
    [("reordered", [b"b", b"a"]), ("stale", [b"a"]), ("paged", [b"a", b"b"])],
)
def test_a_listing_is_turned_shortened_or_paged(
    upstream: Upstream, proxy: FaultProxy, kind: FaultKind, keys: list[bytes]
) -> None:
    with proxy.breaking(Fault(kind, "LIST", "^vaults/$")):
        _, body = ask(proxy, path="/bucket?list-type=2&prefix=vaults/")
    assert [part[:1] for part in body.split(b"<Key>")[1:]] == keys
    assert upstream.reached[0].endswith("&max-keys=2") is (kind == "paged")


def exchange(began: float, ended: float) -> Exchange:
    return Exchange("GET", "", began, ended, 200)


@pytest.mark.parametrize(
    ("times", "depth"),
    [
        ([], 0),
        ([(0, 5)], 1),
        ([(0, 5), (1, 6), (4, 9)], 1),
        ([(0, 5), (5, 6), (6, 9)], 3),
        ([(0, 9), (1, 2), (3, 4), (5, 6)], 3),
        ([(5, 6), (0, 4), (1, 7), (8, 9)], 3),
    ],
)
def test_the_depth_is_the_longest_chain_of_calls_in_turn(times: list[tuple[float, float]], depth: int) -> None:
    assert serial_depth([exchange(*ends) for ends in times]) == depth


def test_calls_that_are_kept_back_until_it_is_quiet_overlap(proxy: FaultProxy) -> None:
    proxy.quiet_s = 0.1
    threads = [threading.Thread(target=ask, args=(proxy,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert (len(proxy.exchanges), serial_depth(proxy.exchanges)) == (5, 1)
    ask(proxy)
    assert serial_depth(proxy.exchanges) == 2
