"""One request as plain values: everything a handler may know of HTTP. Parses nothing but headers."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from db.clock import Moment
from db.errors import Invalid
from db.fields import is_json_object
from db.log.bookmark import parse_bookmark
from db.vault.freshness import FIRST_UNCONSTRAINED, Freshness, instant

FORM_FIELDS = 100


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has been read.

    path: names taken from the route. query: decoded names and values in order. headers: lower-case names, repeated
    ones apart. now: the moment it arrived. began: the `instant` of that, by which what the store said since is current.
    beside: work that goes on while the request is served; its answer waits for it. address: of the caller's network
    connection, '' when it is not known.
    """

    method: str
    url_path: str
    path: Mapping[str, str]
    query: Sequence[tuple[str, str]]
    headers: Sequence[tuple[str, str]]
    body: bytes
    request_id: str
    now: Moment
    began: int = field(default_factory=instant)
    beside: "list[Future[None]]" = field(default_factory=list["Future[None]"])
    address: str = ""

    def header(self, name: str) -> str | None:
        """The first value of a header, or None. name: in lower case."""
        return next((value for known, value in self.headers if known == name), None)

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter, or None."""
        return next((value for known, value in self.query if known == name), None)

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object; no body is an empty one. Raises Invalid (invalid_json)."""
        try:
            given: Any = json.loads(self.body or b"{}")
        except (ValueError, RecursionError) as exc:
            raise Invalid(f"the body is not JSON: {exc}", code="invalid_json") from exc
        if not is_json_object(given):
            raise Invalid("the body must be a JSON object", code="invalid_json")
        return given

    def form(self) -> dict[str, str] | None:
        """The fields of a body that an HTML form sent, the last of a name; None for any other body."""
        media_type = (self.header("content-type") or "").partition(";")[0].strip().lower()
        if media_type != "application/x-www-form-urlencoded":
            return None
        try:
            pairs = parse_qsl(self.body.decode(), keep_blank_values=True, max_num_fields=FORM_FIELDS)
        except ValueError as exc:
            raise Invalid(f"the body is not a form of at most {FORM_FIELDS} fields in UTF-8") from exc
        return dict(pairs)

    @property
    def freshness(self) -> Freshness:
        """How current the read must be, by `x-d1-bookmark`. Raises Invalid for text that is no bookmark."""
        wish = self.header("x-d1-bookmark")
        if wish is None or wish in ("", "first-primary"):
            return Freshness(since=self.began)
        if wish == "first-unconstrained":
            return FIRST_UNCONSTRAINED
        return Freshness(look=False, bookmark=parse_bookmark(wish))
