"""Ranges as text, `[1,5)`, and how two of them lie to each other. Knows whole numbers, numbers, days and other text.

Whole numbers and days have neighbours, so `[1,5]` and `[6,9)` are adjacent; other values have none.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from db.errors import Invalid
from db.transaction import SqlValue

__all__ = ["check_range", "range_test"]

_RANGE = re.compile(
    r'\s*([\[(])\s*("(?:[^"\\]|\\.)*"|[^,"]*?)\s*,\s*("(?:[^"\\]|\\.)*"|[^,"]*?)\s*([\])])\s*', re.DOTALL
)
_WHOLE = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d{1,300}(?:\.\d{0,300})?|\.\d{1,300})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


_Bound = tuple[Any, bool]


@dataclass(frozen=True, slots=True)
class _Range:
    """A range that is not empty. lower, upper: None without a bound, else (value, whether it comes after the value).

    So that bounds compare as they lie on the line: `[5` is (5, False), `(5` and `5]` are (5, True), `5)` is (5, False).
    """

    lower: _Bound | None
    upper: _Bound | None


def check_range(text: str) -> str:
    """The text, once it is known to be a range. Raises Invalid 22P02."""
    if _parse(text) is None:
        raise Invalid(f'malformed range literal: "{text[:80]}"', code="22P02", details="wanted a range such as [1,5)")
    return text


def range_test(operator: str, found: SqlValue, wanted: str) -> bool | None:
    """Whether the found range stands to the wanted one as the operator says; NULL where no range is.

    operator: sl, sr (wholly left, right), nxl, nxr (does not go beyond it on the left, right), adj, cs, cd, ov.
    """
    if not isinstance(found, str):
        return None
    left, right = _parse(found), _parse(wanted)
    if left is None or right is None:
        return None
    if isinstance(left, str) or isinstance(right, str):
        return (operator == "cs" and isinstance(right, str)) or (operator == "cd" and isinstance(left, str))
    try:
        return _TESTS[operator](left, right)
    except TypeError:  # a number and a day: they have no order
        return None


def _before(left: _Range, right: _Range) -> bool:
    """Whether the left range ends where or before the right one begins."""
    return left.upper is not None and right.lower is not None and left.upper <= right.lower


def _starts_no_earlier(left: _Range, right: _Range) -> bool:
    """Whether the left range has no value before the right one."""
    return right.lower is None or (left.lower is not None and left.lower >= right.lower)


def _ends_no_later(left: _Range, right: _Range) -> bool:
    """Whether the left range has no value after the right one."""
    return right.upper is None or (left.upper is not None and left.upper <= right.upper)


def _within(left: _Range, right: _Range) -> bool:
    """Whether every value of the left range is in the right one."""
    return _starts_no_earlier(left, right) and _ends_no_later(left, right)


def _after(left: _Range, right: _Range) -> bool:
    """Whether the left range begins where or after the right one ends."""
    return _before(right, left)


def _around(left: _Range, right: _Range) -> bool:
    """Whether every value of the right range is in the left one."""
    return _within(right, left)


def _meets(left: _Range, right: _Range) -> bool:
    """Whether one range begins where the other one ends."""
    met = left.upper is not None and left.upper == right.lower
    return met or (right.upper is not None and right.upper == left.lower)


def _overlaps(left: _Range, right: _Range) -> bool:
    """Whether the ranges have a value in common."""
    return not _before(left, right) and not _before(right, left)


_TESTS: dict[str, Callable[[_Range, _Range], bool]] = {
    "sl": _before,
    "sr": _after,
    "nxl": _starts_no_earlier,
    "nxr": _ends_no_later,
    "adj": _meets,
    "cs": _around,
    "cd": _within,
    "ov": _overlaps,
}


@lru_cache(maxsize=256)
def _parse(text: str) -> "_Range | str | None":
    """The range, the word `empty`, or None for text that is no range."""
    if text.strip().lower() == "empty":
        return "empty"
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    low, high = _unquoted(match[2]), _unquoted(match[3])
    make = _kind([bound for bound in (low, high) if bound is not None])
    if make is None:
        return None
    lower = None if low is None else _bound(make, low, after=match[1] == "(")
    upper = None if high is None else _bound(make, high, after=match[4] == "]")
    if low is None or high is None or lower is None or upper is None:
        return _Range(lower, upper)
    if make(low) > make(high):
        return None
    return _Range(lower, upper) if lower < upper else "empty"


def _bound(make: Callable[[str], Any], text: str, *, after: bool) -> _Bound:
    """The bound; where values have neighbours, the one after a value is the one before the next value."""
    value = make(text)
    return (_next(value), False) if after and make in (int, _day) else (value, after)


def _unquoted(text: str) -> str | None:
    """The bound without its quotes; None for one that is left out."""
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return None if text in ("", "infinity", "-infinity") else text


def _kind(bounds: list[str]) -> Any:
    """What makes values of the bounds: int, float, a day, or text; None for a day that does not exist."""
    if all(map(_WHOLE.fullmatch, bounds)):
        return int
    if all(map(_NUMBER.fullmatch, bounds)):
        return float
    if not all(map(_DAY.fullmatch, bounds)):
        return str
    try:
        for bound in bounds:
            _day(bound)
    except ValueError:
        return None
    return _day


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _next(value: Any) -> Any:
    """The neighbour of a whole number or a day."""
    if isinstance(value, int):
        return value + 1
    return value + timedelta(days=1) if value < date.max else value
