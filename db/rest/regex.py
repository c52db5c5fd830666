"""Regular expressions of `match` and `imatch`: RE2, whose time is linear in the text. Knows no table.

RE2 has no back-references and no look-around, which is why no pattern can run away; what is left to bound is the
number of rows, by a moment after which every further call fails.
"""

import time
from functools import lru_cache
from typing import Any

import re2 as _re2

from db.errors import Invalid
from db.rest.limits import Limits, within
from db.transaction import SqlValue

# It comes without types.
re2: Any = _re2

__all__ = ["check_pattern", "regex_test"]

_MEMORY_BYTES = 2**20  # of one compiled pattern; over it RE2 turns to a slower automaton, or refuses the pattern


def check_pattern(pattern: str, limits: Limits, *, ignore_case: bool) -> str:
    """The pattern for `regex_test`. Raises Invalid 2201B for one that RE2 does not take, TooLarge."""
    within(len(pattern), limits.pattern_characters, "characters of a regular expression")
    full = f"(?i){pattern}" if ignore_case else pattern
    try:
        _compiled(full)
    except re2.error as exc:
        reason = bytes(exc.args[0]).decode(errors="replace")
        raise Invalid(
            f"invalid regular expression: {reason}",
            code="2201B",
            hint="The syntax is RE2's: no back-references and no look-around.",
        ) from exc
    return full


def regex_test(text: SqlValue, pattern: str, deadline: float) -> bool | None:
    """Whether the pattern is found anywhere in the text; NULL for no text. Raises TimeoutError after the deadline."""
    if time.monotonic() > deadline:
        raise TimeoutError
    if text is None or isinstance(text, bytes):
        return None
    return _compiled(pattern).search(str(text)) is not None


@lru_cache(maxsize=32)
def _compiled(pattern: str) -> Any:
    """The compiled pattern."""
    options = re2.Options()
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    return re2.compile(pattern, options)
