"""Moments that may be given as a bare day. Knows the text of dates; not what they are for."""

from dataclasses import dataclass
from typing import Any

from db.clock import parse_date, parse_timestamp
from db.errors import Invalid

_DAY_CHARACTERS = 10
MIDNIGHT = "T00:00:00.000Z"
LAST_MOMENT = "T23:59:59.999Z"


@dataclass(frozen=True, slots=True)
class DayOrInstant:
    """A timestamp with an offset, or a day, which stands for one moment of it in UTC.

    at: the time a bare day stands for; midnight, or its last moment for something that is due.
    """

    required: bool = False
    at: str = MIDNIGHT

    def parse(self, value: Any, name: str) -> str | None:
        """The 24 characters of UTC, or None when nothing is left."""
        if not isinstance(value, str):
            raise Invalid(
                f"{name}: got {value!r}, wanted a day or a timestamp such as 2026-05-01T19:00:00Z", field=name
            )
        text = value.strip()
        if not text:
            return None
        return parse_date(text, name) + self.at if len(text) == _DAY_CHARACTERS else parse_timestamp(text, name)


DUE = DayOrInstant(at=LAST_MOMENT)
