"""A proxy on the loopback between an S3 client and an S3: it keeps calls back, breaks chosen ones, and records all.

Knows HTTP and the few S3 calls a store makes; not vaults. What is broken is told by `Fault`s; every call is recorded
with the times at which it came and was answered, so that a test can count how many had to wait for each other.
"""

import http.client
import re
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

FaultKind = Literal[
    "500",  # refused with 500 before the effect
    "503",  # refused with SlowDown before the effect
    "lost",  # the call never arrives, and no answer comes
    "late",  # no answer comes; the call arrives when the test releases it
    "held",  # the call arrives when the test releases it, and is answered then
    "silent",  # the call arrives, and no answer comes
    "dropped",  # the connection breaks before the effect
    "broken",  # the connection breaks after the effect
    "cut",  # the connection breaks in the middle of the answer's body
    "short",  # half of the answer's body, as if it were all
    "reordered",  # a listing in another order
    "paged",  # a listing in pages of two
    "stale",  # a listing without its last object, as a store gives whose listings lag
]
PATIENCE_S = 20
_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_INTERNAL = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
_CONTENTS = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Fault:
    """Breaks the calls of one step: those of a method whose key matches, from the nth on, `times` of them.

    method: GET, HEAD, PUT, LIST or DELETE. key: a pattern found anywhere in the key; of a listing, in its prefix.
    hits: how many calls it broke.
    """

    kind: FaultKind
    method: str
    key: str = ""
    nth: int = 1
    times: int = 1
    seen: int = 0
    hits: int = 0

    def strikes(self, method: str, key: str) -> bool:
        """Count the call; whether it is to be broken."""
        if method != self.method or not re.search(self.key, key):
            return False
        self.seen += 1
        if not self.nth <= self.seen < self.nth + self.times:
            return False
        self.hits += 1
        return True


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call as the proxy saw it. began, ended: seconds of a steady clock. status: 0 when no answer was sent."""

    method: str
    key: str
    began: float
    ended: float
    status: int


@dataclass
class FaultProxy:
    """Where the proxy listens and what it saw.

    latency_s: added before each call is handed on. quiet_s: calls are kept back until none has come for so long; those
    that do not wait for each other overlap then, on a busy machine too. choose: asked how to break a call that no fault
    of `faults` strikes.
    """

    upstream: str
    latency_s: float = 0.0
    quiet_s: float = 0.0
    faults: Sequence[Fault] = ()
    choose: Callable[[str, str], FaultKind | None] = lambda method, key: None
    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    endpoint: str = ""
    leaving: threading.Event = field(default_factory=threading.Event)
    _late: list[tuple[threading.Event, threading.Event]] = field(
        default_factory=list[tuple[threading.Event, threading.Event]]
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _wave: threading.Condition = field(default_factory=threading.Condition)
    _waves: int = 0
    _newest: float = 0.0

    def kind_for(self, method: str, key: str) -> FaultKind | None:
        """How this call is to be broken."""
        with self._lock:
            struck: list[FaultKind] = [fault.kind for fault in self.faults if fault.strikes(method, key)]
            return struck[0] if struck else self.choose(method, key)

    def note(self, exchange: Exchange) -> None:
        with self._lock:
            self.exchanges.append(exchange)

    def wait_for_quiet(self) -> None:
        """Until no call has come for `quiet_s`; all who waited go on together."""
        with self._wave:
            wave, self._newest = self._waves, time.monotonic()
            while wave == self._waves:
                left = self._newest + self.quiet_s - time.monotonic()
                if left > 0:
                    self._wave.wait(left)
                else:
                    self._waves += 1
                    self._wave.notify_all()

    @contextmanager
    def holding(self) -> Generator[None]:
        """Hold a call until `release`, or the end; the block is its arrival."""
        released, arrived = threading.Event(), threading.Event()
        with self._lock:
            self._late.append((released, arrived))
        released.wait(PATIENCE_S)
        try:
            yield
        finally:
            arrived.set()

    def release(self) -> None:
        """Let the calls arrive that are late or held, one after the other; returns when they have."""
        with self._lock:
            late, self._late = self._late, []
        for released, arrived in late:
            released.set()
            arrived.wait(PATIENCE_S)

    @contextmanager
    def breaking(self, *faults: Fault) -> Generator[None]:
        """The faults strike while the block runs."""
        self.faults = faults
        try:
            yield
        finally:
            self.faults = ()


def serial_depth(exchanges: Sequence[Exchange]) -> int:
    """The length of the longest chain of calls of which each came after the answer to the one before."""
    chains: list[tuple[float, int]] = []
    for exchange in sorted(exchanges, key=lambda found: found.began):
        before = max((length for ended, length in chains if ended <= exchange.began), default=0)
        chains.append((exchange.ended, before + 1))
    return max((length for _, length in chains), default=0)


@contextmanager
def fault_proxy(upstream: str, latency_s: float = 0.0) -> Generator[FaultProxy]:
    """Run the proxy in front of an endpoint while the block runs."""
    proxy = FaultProxy(upstream, latency_s)
    server = _Server(("127.0.0.1", 0), _handler(proxy))
    proxy.endpoint = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    serving.start()
    try:
        yield proxy
    finally:
        proxy.leaving.set()
        proxy.release()
        server.shutdown()
        server.server_close()
        serving.join(PATIENCE_S)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Clients that gave up leave their connections behind; nobody waits for those.
    block_on_close = False
    # A client that opens forty connections at once must not find the door shut.
    request_queue_size = 256


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    target = urlsplit(proxy.upstream).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._pass_on()

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - names the base class looks for

        def _pass_on(self) -> None:
            self._began = time.monotonic()
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._what = _step(self.command, self.path, body)
            kind = proxy.kind_for(*self._what)
            if proxy.quiet_s:
                proxy.wait_for_quiet()
            if proxy.latency_s:
                proxy.leaving.wait(proxy.latency_s)
            self._serve(kind, body)

        def _note(self, status: int) -> None:
            """Record the call. Before its answer leaves: whoever has that finds the record."""
            proxy.note(Exchange(*self._what, self._began, time.monotonic(), status))

        def _serve(self, kind: FaultKind | None, body: bytes) -> None:
            if kind in ("500", "503"):
                text = _INTERNAL if kind == "500" else _SLOW_DOWN
                self._answer(int(kind), [("Content-Type", "application/xml")], text)
                return
            if kind == "late":
                with proxy.holding():
                    self._forward(self.path, body)
            elif kind not in ("lost", "dropped"):
                if kind == "held":
                    with proxy.holding():
                        pass
                status, headers, answer = self._forward(self.path if kind != "paged" else _in_pages(self.path), body)
                if kind == "cut":
                    self._answer(status, headers, answer[: len(answer) // 2], announced=len(answer))
                    return
                if kind not in ("silent", "broken"):
                    self._answer(status, headers, _changed(kind, answer))
                    return
            if kind in ("lost", "silent"):
                self._say_nothing()
            self._note(0)
            self.close_connection = True

        def _forward(self, path: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            upstream = http.client.HTTPConnection(target, timeout=PATIENCE_S)
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
                upstream.request(self.command, path, body or None, headers | {"Connection": "close"})
                answer = upstream.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            finally:
                upstream.close()

        def _say_nothing(self) -> None:
            """Until the client hangs up."""
            self.connection.settimeout(0.05)
            while not proxy.leaving.is_set():
                try:
                    if not self.connection.recv(1):
                        return
                except TimeoutError:
                    continue
                except OSError:
                    return

        def _answer(
            self, status: int, headers: list[tuple[str, str]], body: bytes, announced: int | None = None
        ) -> None:
            """One write for all of it. announced: bytes of the body, if it has fewer; the connection breaks then."""
            length = len(body) if announced is None else announced
            if self.command == "HEAD":
                length = int(next((value for name, value in headers if name.lower() == "content-length"), "0"))
            lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, '')}"]
            lines += [f"{name}: {value}" for name, value in headers if name.lower() not in _HOP]
            lines += [f"Content-Length: {length}", "", ""]
            self._note(status)
            try:
                self.wfile.write("\r\n".join(lines).encode("latin-1") + (b"" if self.command == "HEAD" else body))
            except OSError:  # the client gave up
                self.close_connection = True
            self.close_connection = self.close_connection or announced is not None

        def log_message(self, *_: object) -> None:
            """Nothing: the tests' output stays theirs."""

    return Handler


def _step(command: str, path: str, body: bytes) -> tuple[str, str]:
    """What a call is to a store, and its key without the bucket; of a deletion, the keys, one a line."""
    parts = urlsplit(path)
    query = parse_qs(parts.query, keep_blank_values=True)
    if "list-type" in query:
        return "LIST", query.get("prefix", [""])[0]
    if command == "POST" and "delete" in query:
        return "DELETE", "\n".join(re.findall(r"<Key>(.*?)</Key>", body.decode()))
    return command, unquote(parts.path).lstrip("/").partition("/")[2]


def _in_pages(path: str) -> str:
    """The address of the same listing, two objects at a time."""
    return f"{path}&max-keys=2"


def _changed(kind: FaultKind | None, answer: bytes) -> bytes:
    """The body as the fault leaves it."""
    if kind == "short":
        return answer[: len(answer) // 2]
    found = _CONTENTS.findall(answer)
    if kind == "reordered":
        turned = iter(reversed(found))
        return _CONTENTS.sub(lambda _: next(turned), answer)
    if kind == "stale" and found:
        return answer.replace(found[-1], b"")
    return answer
