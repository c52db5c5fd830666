"""Moments, timestamps, dates and ids. Knows the calendar; reads no clock except in `system_moment`."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

from db.errors import Invalid

_TIMESTAMP = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|z|[+-]\d{2}(?::?\d{2})?)"
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def timestamp(ms: int) -> str:
    """UTC text of 24 characters, `2026-05-01T19:00:00.000Z`, for milliseconds since 1970."""
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    """The first 19 characters. Kept: a commit asks for the same second some eight times, at 5 us each."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}".rjust(19, "0")


def parse_timestamp(text: str, field: str | None = None) -> str:
    """The same instant as 24 characters of UTC; an offset is required and converted, digits past milliseconds drop.

    Raises Invalid for another shape, an unreal date, or a missing offset.
    """
    return timestamp(timestamp_ms(text, field))


def timestamp_ms(text: str, field: str | None = None) -> int:
    """Milliseconds since 1970 of a timestamp with an offset. Raises Invalid."""
    match = _TIMESTAMP.fullmatch(text.strip())
    if match is None:
        raise Invalid(f"got {text!r}, wanted a timestamp with an offset such as 2026-05-01T19:00:00Z", field=field)
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    offset = "+00:00" if offset in "Zz" else offset if ":" in offset else f"{offset[:3]}:{offset[3:] or '00'}"
    try:
        whole = datetime.fromisoformat(f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{offset}")
        ms = int(whole.timestamp()) * 1000 + int((fraction or "0").ljust(3, "0")[:3])
        timestamp(ms)
    except (ValueError, OverflowError) as exc:
        raise Invalid(f"got {text!r}, which is not a real moment: {exc}", field=field) from exc
    return ms


def parse_date(text: str, field: str | None = None) -> str:
    """The date as `YYYY-MM-DD`. Raises Invalid for another shape or a day the calendar lacks."""
    stripped = text.strip()
    try:
        if _DATE.fullmatch(stripped):
            return date.fromisoformat(stripped).isoformat()
    except ValueError:
        pass
    raise Invalid(f"got {text!r}, wanted a calendar day such as 2026-05-01", field=field)


def years_before(text: str, years: int) -> str:
    """The same day and time so many calendar years before; 29 February becomes the 28th where there is none.

    text: 24 characters of UTC.
    """
    year, rest = int(text[:4]) - years, text[4:]
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return f"{year:04d}{rest if leap or not rest.startswith('-02-29') else '-02-28' + rest[6:]}"


@dataclass(frozen=True, slots=True)
class Moment:
    """The instant and the randomness of one call, handed in so that a test can fix both.

    ms: milliseconds since 1970. random_bytes: cryptographic in production.
    """

    ms: int
    random_bytes: Callable[[int], bytes] = os.urandom

    @property
    def text(self) -> str:
        """The instant as 24 characters of UTC."""
        return timestamp(self.ms)

    def later(self, *, seconds: int) -> str:
        """The timestamp `seconds` after this moment (before it, if negative)."""
        return timestamp(self.ms + seconds * 1000)

    def new_id(self) -> str:
        """A UUIDv7: 48 bits of this moment, then 74 random bits. Source: RFC 9562."""
        random = int.from_bytes(self.random_bytes(10), "big")
        value = (
            (self.ms & (1 << 48) - 1) << 80 | 7 << 76 | (random >> 62 & 0xFFF) << 64 | 2 << 62 | random & (1 << 62) - 1
        )
        digits = f"{value:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def token_hex(self, byte_count: int) -> str:
        """That many random bytes as lower-case hex."""
        return self.random_bytes(byte_count).hex()


def system_moment() -> Moment:
    """The moment now, by the system clock."""
    return Moment(time.time_ns() // 1_000_000)
