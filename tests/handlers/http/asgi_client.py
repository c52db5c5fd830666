"""Requests to an ASGI application in this process, byte for byte as given. Knows ASGI; not the application."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. headers: lower-case names, in order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        found = [value for known, value in self.headers if known == name]
        assert len(found) < 2, f"{name} came {len(found)} times"
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Client:
    """Sends one request after another; keeps no cookie and no connection. address: of its network connection."""

    app: Any
    address: str = "127.0.0.1"

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        headers: Headers = (),
        body: Any = None,
        broken_off: bool = False,
    ) -> Answer:
        """path: may hold a query string of its own. body: bytes as they are, anything else as JSON, None = empty.

        broken_off: the connection is lost when this much of the body was sent.
        """
        raw_path, _, text = path.partition("?")
        text = "&".join(filter(None, (text, urlencode(query))))
        given = headers.items() if isinstance(headers, Mapping) else headers
        sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given]
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.append((b"content-type", b"application/json"))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw_path),
            "raw_path": raw_path.encode(),
            "root_path": "",
            "query_string": text.encode(),
            "headers": [(b"host", b"testserver"), *sent],
            "server": ("testserver", 80),
            "client": (self.address, 50000),
            "state": {},
        }
        return asyncio.run(_exchange(self.app, scope, body or b"", broken_off))


async def _exchange(app: Any, scope: dict[str, Any], body: bytes, broken_off: bool) -> Answer:
    # In pieces, as a server hands a long body on.
    pieces = [body[start : start + 65536] for start in range(0, len(body), 65536)] or [b""]
    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces[:-1]]
    waiting.append({"type": "http.request", "body": pieces[-1], "more_body": broken_off})
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        if not broken_off:
            # The client stays for the answer, and has no more to say.
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = sent[0]
    assert start["type"] == "http.response.start"
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"])
    return Answer(start["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))
