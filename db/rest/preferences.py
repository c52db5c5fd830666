"""`Prefer`, `Range` and profile headers to typed wishes. Knows header texts; not tables or statuses."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from db.errors import Invalid, NotAcceptable, RangeUnsatisfiable

__all__ = ["Pairs", "Preferences", "check_profile", "parse_preferences", "parse_range", "range_error"]

Pairs = Sequence[tuple[str, str]]
"""Names and values, of headers or of a query string; a name may repeat."""

# In the order of `Preference-Applied`.
_CHOICES = {
    "resolution": ("merge-duplicates", "ignore-duplicates"),
    "missing": ("default", "null"),
    "return": ("representation", "minimal", "headers-only"),
    "count": ("exact", "planned", "estimated"),
    "tx": ("commit", "rollback"),
    "handling": ("strict", "lenient"),
    "timezone": None,
    "max-affected": None,
}
_UTC = frozenset({"UTC", "ETC/UTC", "GMT", "Z"})  # timestamps are kept and answered in UTC
_DIGITS = 18  # below 2^63, SQLite's largest integer
_RANGE = re.compile(r"(?:items=)?(\d{1,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the client would like, and nothing it did not say.

    count: how a total is wanted, None for none. strict: whether a wish that cannot be granted is an error.
    max_affected: the most rows a write may touch, only when strict. rollback: whether a write is to leave no trace.
    applied: values for `Preference-Applied`, in PostgREST's order.
    """

    returns: str = "minimal"
    resolution: str | None = None
    missing_default: bool = False
    count: str | None = None
    strict: bool = False
    max_affected: int | None = None
    rollback: bool = False
    applied: tuple[str, ...] = ()


def parse_preferences(headers: Pairs) -> Preferences:
    """The preferences of every Prefer header; the first of a kind counts, unknown ones do not unless strict.

    Raises Invalid PGRST122 for unknown ones under handling=strict.
    """
    given: dict[str, str] = {}
    unknown: list[str] = []
    for name, value in headers:
        if name.lower() == "prefer":
            for part in filter(None, (part.strip() for part in value.split(","))):
                kind, _, wish = part.partition("=")
                choices = _CHOICES.get(kind, ())
                if choices is None or wish in choices:
                    given.setdefault(kind, wish)
                else:
                    unknown.append(part)
    strict = given.get("handling") == "strict"
    if given.get("timezone", "UTC").upper() not in _UTC:
        unknown.append(f"timezone={given.pop('timezone')}")
    if strict and unknown:
        raise Invalid(
            "Invalid preferences given with handling=strict",
            code="PGRST122",
            details=f"Invalid preferences: {', '.join(unknown)}",
        )
    limit = given.pop("max-affected", "")
    if strict and limit.isascii() and limit.isdigit() and len(limit) <= _DIGITS:
        given["max-affected"] = limit
    return Preferences(
        given.get("return", "minimal"),
        given.get("resolution"),
        given.get("missing") == "default",
        given.get("count"),
        strict,
        int(given["max-affected"]) if "max-affected" in given else None,
        given.get("tx") == "rollback",
        tuple(f"{kind}={given[kind]}" for kind in _CHOICES if kind in given),
    )


def parse_range(headers: Pairs) -> tuple[int, int | None]:
    """First row and number of rows that a `Range: 0-14` header asks for; (0, None) without one.

    Another unit than items, or another form, is ignored as HTTP wants it. Raises RangeUnsatisfiable for 5-2.
    """
    given = {name.lower(): value.strip() for name, value in headers if name.lower() in ("range", "range-unit")}
    match = _RANGE.fullmatch(given.get("range", ""))
    if match is None or given.get("range-unit", "items").lower() != "items":
        return 0, None
    first = int(match[1])
    if not match[2]:
        return first, None
    count = int(match[2]) - first + 1
    if count < 1:
        raise range_error("The lower boundary must be lower than or equal to the upper boundary in the Range header.")
    return first, count


def range_error(details: str, total: int | None = None) -> RangeUnsatisfiable:
    """PGRST103 with the reason in its details. total: of the rows, where it is known."""
    error = RangeUnsatisfiable("Requested range not satisfiable", code="PGRST103", details=details)
    error.total = total
    return error


def check_profile(headers: Pairs) -> None:
    """Refuse a schema other than `public`, the name of the only one. Raises NotAcceptable PGRST106."""
    for name, value in headers:
        if name.lower() in ("accept-profile", "content-profile") and value.strip() != "public":
            raise NotAcceptable(
                f"Invalid schema: {value.strip()}",
                code="PGRST106",
                hint="Only the following schemas are exposed: public",
            )
