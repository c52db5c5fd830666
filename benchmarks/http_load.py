"""Asking a server over keep-alive connections as fast as it answers. Knows sockets and HTTP/1.1; no product.

One thread, one epoll, requests made before the clock starts: an answer costs this side some ten microseconds, so that
with a core each it is the server that is measured.
"""

import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

_READ_BYTES = 1 << 18
_PATIENCE_S = 10


@dataclass(frozen=True, slots=True)
class Burst:
    """What came of asking for some time. seconds: of the wall clock. own_cpu_s: of this process."""

    answers: int
    seconds: float
    own_cpu_s: float


def request(method: str, path: str, port: int, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(slots=True)
class _Connection:
    """One socket and what came of its answer so far. missing: bytes still to come, -1 while the head is not whole."""

    socket: socket.socket
    got: list[bytes] = field(default_factory=list[bytes])
    missing: int = -1


class Load:
    """So many connections to one port, each with at most one request on its way."""

    def __init__(self, port: int, connections: int) -> None:
        self._poll = select.epoll()
        self._open: dict[int, _Connection] = {}
        for _ in range(connections):
            opened = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._poll.register(opened, select.EPOLLIN)
            self._open[opened.fileno()] = _Connection(opened)

    def close(self) -> None:
        """Close every connection."""
        self._poll.close()
        for connection in self._open.values():
            connection.socket.close()

    def run(self, requests: Iterator[bytes], seconds: float) -> Burst:
        """Ask until the time is over, then wait for what is on its way. Raises AssertionError unless all succeed."""
        answers, on_their_way = 0, len(self._open)
        own, started = time.process_time(), time.perf_counter()
        ends = started + seconds
        for connection in self._open.values():
            connection.socket.sendall(next(requests))
        while on_their_way:
            ready = self._poll.poll(_PATIENCE_S)
            assert ready, "the server stopped answering"
            for descriptor, _ in ready:
                connection = self._open[descriptor]
                if not _answered(connection):
                    continue
                answers += 1
                if time.perf_counter() < ends:
                    connection.socket.sendall(next(requests))
                else:
                    on_their_way -= 1
        return Burst(answers, time.perf_counter() - started, time.process_time() - own)


def _answered(connection: _Connection) -> bool:
    """Read what came; whether the answer is whole. Raises AssertionError for a failure."""
    part = connection.socket.recv(_READ_BYTES)
    assert part, "the server closed a connection that was to be kept"
    if connection.missing >= 0:
        connection.missing -= len(part)
    else:
        connection.got.append(part)
        text = b"".join(connection.got)
        end = text.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = text[:end].lower()
        assert head.startswith((b"http/1.1 200", b"http/1.1 201")), text[:500]
        before, _, length = head.partition(b"content-length:")
        if length:
            connection.missing = int(length.split(b"\r\n", 1)[0]) - (len(text) - end - 4)
        else:
            assert b"transfer-encoding: chunked" in before, text[:500]
            return text.endswith(b"\r\n0\r\n\r\n") and _rest(connection)
    return connection.missing == 0 and _rest(connection)


def _rest(connection: _Connection) -> bool:
    """The connection awaits the next answer."""
    connection.got.clear()
    connection.missing = -1
    return True
