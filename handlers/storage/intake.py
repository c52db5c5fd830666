"""A body on its way in: raw, or the file of a multipart form, to a spool. Knows both forms; not what becomes of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from starlette.requests import ClientDisconnect

from db.errors import Invalid, TooLarge
from db.files.spool import Spool
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartParser

T = TypeVar("T")
Run = Callable[[Callable[[], Reply]], Awaitable[Reply]]
# Bytes gathered before they are written: each time costs a hop off the event loop.
_GATHERED_BYTES = 1 << 20
_FIELD_BYTES = 64 << 10
_FIELDS = 20


class Receiving(Protocol):
    """A handler that takes the body as it comes. Every method may block."""

    def feed(self, part: bytes) -> None:
        """Take the next bytes. Raises what refuses the rest."""
        ...

    def finish(self) -> Reply:
        """The body is complete: the answer."""
        ...

    def broken_off(self) -> None:
        """The client went away; what came is all there will be."""
        ...

    def close(self) -> None:
        """Let go of what was opened, whatever happened."""
        ...


Begin = Callable[[Services, Call], Receiving]


async def receive(begin: Begin, services: Services, run: Run, call: Call, parts: AsyncIterator[bytes]) -> Reply:
    """The answer to a request whose body is read as it comes; refused as soon as anything is wrong with it."""
    receiving = await _off_the_loop(run, lambda: begin(services, call))
    try:
        gathered: list[bytes] = []
        try:
            async for part in parts:
                gathered.append(part)
                if sum(map(len, gathered)) >= _GATHERED_BYTES:
                    await _feed(run, receiving, gathered)
            await _feed(run, receiving, gathered)
        except ClientDisconnect as exc:
            await _feed(run, receiving, gathered)
            await _off_the_loop(run, receiving.broken_off)
            raise Invalid("the body ended before it was complete", code="body_incomplete") from exc
        return await run(receiving.finish)
    finally:
        await _off_the_loop(run, receiving.close)


async def _feed(run: Run, receiving: Receiving, gathered: list[bytes]) -> None:
    body = b"".join(gathered)
    gathered.clear()
    if body:
        await _off_the_loop(run, lambda: receiving.feed(body))


async def _off_the_loop(run: Run, work: Callable[[], T]) -> T:
    """What `work` returned, run where requests are served."""
    done: list[T] = []

    def carry() -> Reply:
        done.append(work())
        return Reply(204)

    await run(carry)
    return done[0]


@dataclass(slots=True)
class RawBody:
    """A body that is the file."""

    spool: Spool

    def feed(self, part: bytes) -> None:
        """Add to the file. Raises TooLarge."""
        self.spool.write(part)

    def finish(self) -> None:
        """Nothing is left to do."""


@dataclass(slots=True)
class FormBody:
    """A multipart form with one file and some short fields. content_type: of the file, as the form says."""

    spool: Spool
    boundary: bytes
    fields: dict[str, str] = field(default_factory=dict[str, str])
    content_type: str = ""
    files: int = 0
    _complete: bool = False
    _headers: dict[str, str] = field(default_factory=dict[str, str])
    _header: list[bytes] = field(default_factory=lambda: [b"", b""])
    _name: str = ""
    _value: bytearray | None = None
    _parser: "MultipartParser | None" = None

    def feed(self, part: bytes) -> None:
        """Add to the form. Raises Invalid, TooLarge."""
        from python_multipart.exceptions import FormParserError

        parser = self._parser or self._open()
        try:
            parser.write(part)
        except FormParserError as exc:
            raise Invalid("the body is not the multipart form its content type says", code="form_invalid") from exc

    def finish(self) -> None:
        """The form is complete. Raises Invalid unless it has one file."""
        if not self._complete or self.files != 1:
            found = f"{self.files} files" if self._complete else "a form that ends early"
            raise Invalid(f"got {found}, wanted a multipart form with one file", code="form_invalid")

    def _open(self) -> "MultipartParser":
        # Here: most requests bring no form.
        from python_multipart.multipart import MultipartParser

        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
        }
        self._parser = MultipartParser(self.boundary, callbacks)
        return self._parser

    def _begin(self) -> None:
        self._headers = {}
        self._header = [b"", b""]

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def _header_end(self) -> None:
        name, value = self._header
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        self._header = [b"", b""]

    def _headers_end(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self._headers.get("content-disposition", ""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options or self._name in ("", "file"):
            self.files += 1
            self._value = None
            self.content_type = self._headers.get("content-type", "")
            if self.files > 1:
                raise Invalid("got a second file, wanted one", code="form_invalid")
        else:
            self._value = bytearray()
            if len(self.fields) >= _FIELDS:
                raise TooLarge(f"got more than {_FIELDS} fields in a form")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._value is None:
            self.spool.write(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > _FIELD_BYTES:
            raise TooLarge(f"got more than {_FIELD_BYTES} bytes in a field of a form")

    def _end(self) -> None:
        if self._value is not None:
            self.fields[self._name] = self._value.decode("utf-8", "replace")

    def _all(self) -> None:
        self._complete = True


def form_boundary(call: Call) -> bytes | None:
    """What parts the multipart form of this request; None for any other body. Raises Invalid for a form without."""
    given = call.header("content-type") or ""
    if not given.strip().lower().startswith("multipart/form-data"):
        return None
    from python_multipart.multipart import parse_options_header

    boundary = parse_options_header(given)[1].get(b"boundary", b"")
    if not 1 <= len(boundary) <= 200:
        raise Invalid("the multipart form lacks its boundary", code="form_invalid")
    return boundary
