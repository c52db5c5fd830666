"""Numbered things in series, such as `M-01 … M-25` beside `01 … 12`. Knows numbers as text; not what they number."""

import re
from collections.abc import Iterable, Sequence
from typing import LiteralString

SEPARATOR = "-"
LEAST_DIGITS = 2
_DIGITS = re.compile(r"[0-9]+")


def parse_prefix(text: str | None) -> str:
    """The prefix of a series as it is meant: `M-` is `M`. '' is the series of digits alone."""
    return (text or "").strip().removesuffix(SEPARATOR).strip()


def next_number(taken: Iterable[str], prefix: str) -> int:
    """One more than the highest number of the series among these texts; 1 when there is none.

    taken: numbers of any series and other texts, which do not count.
    """
    head = f"{prefix}{SEPARATOR}" if prefix else ""
    tails = (text.removeprefix(head) for text in taken if text.startswith(head))
    return max((int(tail) for tail in tails if _DIGITS.fullmatch(tail)), default=0) + 1


def batch_numbers(prefix: str, start: int, count: int) -> Sequence[str]:
    """So many numbers from `start` on, all as wide as the last of them and two digits at least."""
    width = max(LEAST_DIGITS, len(str(start + count - 1)))
    head = f"{prefix}{SEPARATOR}" if prefix else ""
    return [f"{head}{number:0{width}d}" for number in range(start, start + count)]


def natural_order(column: LiteralString) -> LiteralString:
    """SQL terms for ORDER BY: the text before the digits at the end without regard to case, then their value.

    The value is compared as digits without leading zeros, first by length: it may be longer than any number of SQL.
    Needs the SQL function `casefold`.
    """
    text = f"rtrim({column}, '0123456789')"
    digits = f"ltrim(substr({column}, length({text}) + 1), '0')"
    return f"casefold({text}), length({digits}), {digits}, {column}"
