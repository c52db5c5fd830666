"""Answers of REST as HTTP: statuses and headers as PostgREST gives them. Knows no table and no SQL."""

import json
import re
from typing import Any
from urllib.parse import quote, quote_plus

from db.rest.answer import RestAnswer
from db.rest.preconditions import with_mark
from db.rest.request import InsertRequest, PutRequest, ReadRequest, WriteRequest
from handlers.http.call import Call
from handlers.http.reply import Reply

_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*", re.ASCII)
VARY: tuple[str, str] = ("Vary", "Accept, Prefer, Range, Authorization")


def read_reply(answer: RestAnswer, request: ReadRequest, call: Call, mark: str = "", *more: tuple[str, str]) -> Reply:
    """The answer to a read: 200, 206 for a part of a known total, 304 for what the client has.

    mark: what the tag is known by while nothing is committed. more: headers to add.
    """
    headers = [*more, *_headers(answer, request, call)]
    if answer.etag:
        headers.append(("ETag", with_mark(answer.etag, mark) if mark and answer.timeless else answer.etag))
    if request.conditions.is_unchanged(answer.etag):
        return Reply(304, headers=tuple(headers))
    headers.append(("Content-Location", _location(call)))
    status = 206 if answer.is_partial and not request.singular else 200
    return Reply(status, "" if request.head else answer.body, request.media.content_type, tuple(headers))


def unchanged_reply(tag: str) -> Reply:
    """304 for a tag that is known to be good without a read."""
    return Reply(304, headers=(VARY, ("ETag", tag)))


def write_reply(answer: RestAnswer, request: WriteRequest, call: Call) -> Reply:
    """The answer to a write: 201 for what is new, else 200 with a body and 204 without.

    An insert is 201 even if it ignored every row, and 200 if it merged them all.
    """
    shown = request.shown
    changed = 200 if answer.body else 204
    if isinstance(request, InsertRequest):
        status = 200 if shown.preferences.resolution == "merge-duplicates" and not answer.inserted else 201
    else:
        status = 201 if isinstance(request, PutRequest) and answer.inserted else changed
    headers = _headers(answer, shown, call)
    if answer.etag:
        headers.append(("ETag", answer.etag))
    if answer.location:
        headers.append(("Location", f"/{quote(shown.table)}?{answer.location}"))
    return Reply(status, answer.body, shown.media.content_type, tuple(headers))


def allow_reply(methods: tuple[str, ...]) -> Reply:
    """The methods that an address takes."""
    return Reply(200, headers=(("Allow", ",".join(("OPTIONS", *methods))), VARY))


def _headers(answer: RestAnswer, shown: ReadRequest, call: Call) -> list[tuple[str, str]]:
    """The headers that every answer has, and those that the request asked for."""
    headers = [VARY] if shown.media.plan else [("Content-Range", answer.content_range), VARY]
    if answer.applied:
        headers.append(("Preference-Applied", ", ".join(answer.applied)))
    if call.header("accept-profile") or call.header("content-profile"):
        headers.append(("Content-Profile", "public"))
    headers += [("Warning", f'299 - "{_ascii(text)}"') for text in answer.warnings]
    return headers


def _location(call: Call) -> str:
    """The address of what was read, its parameters in order of their names."""
    name = call.path.get("table") or f"rpc/{call.path['verb']}"
    query = "&".join(f"{_quoted(key)}={_quoted(value)}" for key, value in sorted(call.query))
    return f"/{quote(name)}{'?' if query else ''}{query}"


def _quoted(text: str) -> str:
    # Most names and values are words and ids, for which the library's way costs as much as finding their row.
    return text if _UNRESERVED.fullmatch(text) else quote_plus(text)


def _ascii(text: str) -> str:
    """The text as a quoted string of a header takes it."""
    return text.replace('"', "'").encode("ascii", "replace").decode()


def value_reply(value: Any) -> Reply:
    """A verb's result as JSON; None is no content."""
    if value is None:
        return Reply(204)
    return Reply(200, json.dumps(value, ensure_ascii=False, separators=(",", ":")))
