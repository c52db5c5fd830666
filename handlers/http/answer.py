"""What every way to answer over HTTP shares: a request's id and query, the headers of an answer, its line in the log.

Knows the text of headers; no route and no server.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from db.clock import Moment
from db.errors import TooLarge
from db.events import Event
from handlers.http.reply import Reply

QUERY_PARAMETERS = 1_000
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_WITHOUT_LENGTH = (204, 304)


@dataclass(frozen=True, slots=True)
class Served(Event):
    """One request answered. route: its pattern, '' for none; so no name or value of a tenant gets into the log."""

    method: str
    route: str
    status: int
    ms: float
    request_id: str


def request_id_of(given: str, now: Moment) -> str:
    """The id the client chose, if it is a plain word, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else now.new_id()


def query_of(text: bytes, most: int = QUERY_PARAMETERS) -> list[tuple[str, str]]:
    """Names and values of a query string. most: parameters. Raises TooLarge."""
    count = text.count(b"&") + 1
    if count > most:
        raise TooLarge(f"got {count} query parameters, the limit is {most}")
    return parse_qsl(text.decode("utf-8", "replace"), keep_blank_values=True)


def body_of(reply: Reply) -> bytes:
    """The body's bytes. Half a surrogate pair, quoted from a request, has no UTF-8: JSON's escape stands for it."""
    return reply.body.encode("utf-8", "backslashreplace")


def headers_of(reply: Reply, request_id: str, size: int | None, *, typed: bool) -> list[tuple[bytes, bytes]]:
    """The headers as ASGI has them, names in lower case; of one name the first counts.

    size: bytes of the body, None when they are not known. typed: whether to say of which type it is.
    """
    named = [("content-type", reply.media_type)] if typed else []
    if size is not None and reply.status not in _WITHOUT_LENGTH:
        named.append(("content-length", str(size)))
    named += [*reply.headers, ("x-request-id", request_id), ("cache-control", "no-store")]
    first: dict[str, str] = {}
    for name, value in named:
        first.setdefault(name.lower(), value)
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in first.items()]
