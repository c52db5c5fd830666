"""Reads by SQL that are answered where they arrive, on the event loop, as handlers/rest/quick_read.py answers rows.

The caller and the database were found before, and the statements end within a few milliseconds. Whatever is not so,
every refusal and every write included, goes the ordinary way from its start. For one thread.
"""

import re
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.events import emit
from handlers.d1.access import recall
from handlers.d1.routes import PREFIX, QUERY
from handlers.http.answer import Served, body_of, headers_of, request_id_of
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.rest.quick_read import MOST_S
from handlers.services import Services

_PATH: Final = re.compile(PREFIX + re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", QUERY))
# Parsed before anything else can be done; a longer one may take as long as the read.
MOST_BYTES: Final = 20_000
_NOT_PLAIN: Final = frozenset({"x-d1-bookmark", "idempotency-key", "transfer-encoding"})


class QuickQueries:
    """ASGI middleware that answers the calls of `/query` it can; all else goes on to the application."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or hand it on as it came."""
        asks = scope["type"] == "http" and scope["method"] == "POST" and not scope.get("root_path")
        match = _PATH.fullmatch(scope["path"]) if asks else None
        headers = [] if match is None else _headers(scope)
        if match is None or not headers:
            await self._app(scope, receive, send)
            return
        # Most bodies come as one; of one that does not, nothing is awaited here.
        first = await receive()
        if first["type"] == "http.request" and not first.get("more_body"):
            answer = self._answer(scope["path"], match.groupdict(), headers, first.get("body", b""))
            if answer is not None:
                status, answered, body = answer
                await send({"type": "http.response.start", "status": status, "headers": answered})
                await send({"type": "http.response.body", "body": body})
                return
        await self._app(scope, _again(first, receive), send)

    def _answer(
        self, url_path: str, path: dict[str, str], headers: list[tuple[str, str]], body: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
        """Status, headers and body, or None: serve it the ordinary way."""
        services, started, now = self._services, time.perf_counter(), self._services.clock()
        if services.requests.is_due(now.ms):
            return None
        request_id = request_id_of(next((value for name, value in headers if name == "x-request-id"), ""), now)
        try:
            reply = self._read(Call("POST", url_path, path, [], headers, body, request_id, now))
        except Exception:
            # A fault of ours too: the ordinary way tells it in the envelope, and of its text nothing in the log.
            return None
        if reply is None:
            return None
        answered = body_of(reply)
        elapsed_ms = (time.perf_counter() - started) * 1000
        emit(Served("POST", f"{PREFIX}{QUERY}", reply.status, round(elapsed_ms, 2), request_id))
        return reply.status, headers_of(reply, request_id, len(answered), typed=True), answered

    def _read(self, call: Call) -> Reply | None:
        """The reply, or None. Raises what a query raises."""
        from handlers.d1.query import query_at_once  # as the handlers: loaded by the first request for it

        services = self._services
        access = recall(services, call)
        if access is None:
            return None
        # Of this thread, as for rows.
        ends = time.thread_time() + MOST_S
        with services.pool.borrow(access.entry.id, as_use=True) as vault:
            if vault is None:
                return None
            reply = query_at_once(services, vault, call, access, lambda: time.thread_time() > ends)
        if reply is not None:
            services.requests.add(access.entry.id)
        return reply


def _headers(scope: Scope) -> list[tuple[str, str]]:
    """The headers, or none for a request that is not so plain."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    size = next((value for name, value in headers if name == "content-length"), "0")
    plain = size.isdecimal() and int(size) <= MOST_BYTES and not any(name in _NOT_PLAIN for name, _ in headers)
    return headers if plain else []


def _again(first: Message, receive: Receive) -> Receive:
    """What the application receives: what was received already, then the rest."""
    waiting = [first]

    async def received() -> Message:
        return waiting.pop() if waiting else await receive()

    return received
