"""What a request comes to: the body's text and the counts the headers need. Knows no HTTP but header texts."""

from dataclasses import dataclass

from db.errors import NotAcceptable
from db.rest.preferences import Preferences, range_error

__all__ = ["RestAnswer", "applied_preferences", "check_offset", "single_object"]


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """The answer to one request.

    body: JSON text, '' when none is to be sent. returned: rows in the body, or touched by the write.
    total: rows without the page, None when it was not asked for. first: the offset. writes: whether rows may have
    changed. inserted: new rows of a write. applied: values of `Preference-Applied`. location: query string that names
    the one new row, such as `id=eq.1`. etag: of the rows in the body, '' for none. warnings: for the client to read.
    timeless: whether the same rows give the same answer at any time.
    """

    body: str
    returned: int
    total: int | None
    first: int = 0
    writes: bool = False
    inserted: int = 0
    applied: tuple[str, ...] = ()
    location: str | None = None
    etag: str = ""
    warnings: tuple[str, ...] = ()
    timeless: bool = False

    @property
    def content_range(self) -> str:
        """`Content-Range`: first and last row, and the total or `*`."""
        rows = f"{self.first}-{self.first + self.returned - 1}" if self.returned and not self.inserted else "*"
        return f"{rows}/{'*' if self.total is None else self.total}"

    @property
    def is_partial(self) -> bool:
        """Whether rows that match are known to be missing here: status 206."""
        return not self.writes and self.total is not None and self.returned < self.total


def check_offset(total: int | None, offset: int) -> None:
    """Refuse a page that begins after the last row. Raises RangeUnsatisfiable PGRST103."""
    if total is not None and offset > total:
        raise range_error(f"An offset of {offset} was requested, but there are only {total} rows.", total)


def single_object(body: str, returned: int) -> str:
    """The one object of a list's text. Raises NotAcceptable PGRST116 for none or several."""
    if returned != 1:
        raise NotAcceptable(
            "Cannot coerce the result to a single JSON object",
            code="PGRST116",
            details=f"The result contains {returned} rows",
        )
    return body[1:-1]


def applied_preferences(preferences: Preferences, *, writes: bool) -> tuple[str, ...]:
    """Those that had an effect: the ones about writing do not on a read."""
    return tuple(p for p in preferences.applied if writes or p.startswith(("count=", "handling=", "timezone=")))
