"""An answer before it is HTTP: plain values, so that it can be stored, replayed and tested."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """status, body text, its media type, and further headers in order.

    content: bytes in pieces, instead of the body; such an answer is not stored, and says its length in a header.
    """

    status: int
    body: str = ""
    media_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    content: Iterable[bytes] | None = None

    def with_headers(self, *more: tuple[str, str]) -> "Reply":
        """The same answer with further headers."""
        return replace(self, headers=(*self.headers, *more))

    def as_json(self) -> dict[str, Any]:
        """Plain JSON that `from_json` reads back."""
        return {"status": self.status, "body": self.body, "type": self.media_type, "headers": list(self.headers)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Reply":
        """The answer that `as_json` wrote."""
        headers = tuple((name, value) for name, value in stored["headers"])
        return cls(stored["status"], stored["body"], stored["type"], headers)
