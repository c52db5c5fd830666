"""`If-Match`, `If-None-Match` and the tags they name. Knows header texts and how a tag is made; no table.

A tag has two parts. The first is a digest of the state of the one row: it is what `If-Match` compares, whatever was
selected when the tag was given. The second is a digest of the body: it decides on 304. A list has the second part only,
and is marked as weak. After a hyphen may stand a mark that whoever gave the tag knows it by; it is no part of either.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from db.errors import PreconditionFailed
from db.rest.preferences import Pairs

__all__ = [
    "NO_CONDITIONS",
    "Preconditions",
    "check_state",
    "parse_preconditions",
    "row_tag",
    "tag_of",
    "with_mark",
]

_DIGEST_BYTES = 12
_ANY = "*"


class Preconditions(NamedTuple):
    """The tags of each header without their marks, `*` for any; None when the header was not sent."""

    match: frozenset[str] | None = None
    none_match: frozenset[str] | None = None

    def is_unchanged(self, tag: str) -> bool:
        """Whether the client has what the tag stands for."""
        if not tag or self.none_match is None:
            return False
        return _ANY in self.none_match or _content(tag) in map(_content, self.none_match)

    def marked(self, mark: str) -> str | None:
        """The tag of If-None-Match with this mark, as a value of `ETag`; None without one."""
        found = next((tag for tag in self.none_match or () if tag.partition("-")[2] == mark), None)
        return None if found is None else f'"{found}"' if "." in found else f'W/"{found}"'


NO_CONDITIONS = Preconditions()


def parse_preconditions(headers: Pairs) -> Preconditions:
    """The conditions of a request."""
    match = [value for name, value in headers if name.lower() == "if-match"]
    none_match = [value for name, value in headers if name.lower() == "if-none-match"]
    if not match and not none_match:
        return NO_CONDITIONS
    return Preconditions(_tags(match) if match else None, _tags(none_match) if none_match else None)


def tag_of(body: str, whole: str | None) -> str:
    """The value of `ETag` for a body. whole: the state of the one row in it, None for a list."""
    return f'W/"{_digest(body)}"' if whole is None else f'"{row_tag(whole)}.{_digest(body)}"'


def with_mark(tag: str, mark: str) -> str:
    """The value of `ETag` with a mark."""
    return f'{tag[:-1]}-{mark}"'


def row_tag(whole: str) -> str:
    """The part of a tag that stands for the row."""
    return _digest(whole)


def check_state(conditions: Preconditions, states: Iterable[str]) -> None:
    """Hold the conditions of a write against the rows it is about to touch.

    Raises PreconditionFailed when If-Match names none of the states of some row, or there is no row; or when
    If-None-Match is `*` and there is one.
    """
    present = [row_tag(state) for state in states]
    if conditions.match is not None:
        wanted = {tag.partition(".")[0] for tag in conditions.match}
        if not present or (_ANY not in wanted and not wanted.issuperset(present)):
            raise PreconditionFailed(
                "the row is no longer in the state that If-Match names"
                if present
                else "If-Match: there is no such row",
                details=f"ETag now: {present[0]}" if len(present) == 1 else None,
                hint="Read it again and repeat the change on what is there now.",
            )
    if conditions.none_match is not None and _ANY in conditions.none_match and present:
        raise PreconditionFailed("If-None-Match: the row exists already")


def _tags(values: list[str]) -> frozenset[str]:
    """The tags of a header, without their marks."""
    return frozenset(_plain(tag) for value in values for tag in value.split(",") if tag.strip())


def _plain(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')


def _content(tag: str) -> str:
    """The tag without its mark."""
    return _plain(tag).partition("-")[0]


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
