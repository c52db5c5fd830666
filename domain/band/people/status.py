"""A member's standing: which changes there are, and what each one brings. Knows words and days; not tables."""

from collections.abc import Mapping
from typing import Literal

Status = Literal["PENDING", "AUDITION", "ACTIVE", "LEAVE_OF_ABSENCE", "INACTIVE", "ALUMNI"]
STATUSES: tuple[Status, ...] = ("ACTIVE", "INACTIVE", "LEAVE_OF_ABSENCE", "ALUMNI", "AUDITION", "PENDING")

_NEXT: Mapping[str, frozenset[str]] = {
    "PENDING": frozenset({"AUDITION", "ACTIVE", "INACTIVE"}),
    "AUDITION": frozenset({"ACTIVE", "PENDING", "INACTIVE"}),
    "ACTIVE": frozenset({"LEAVE_OF_ABSENCE", "INACTIVE", "ALUMNI"}),
    "LEAVE_OF_ABSENCE": frozenset({"ACTIVE", "INACTIVE", "ALUMNI"}),
    "INACTIVE": frozenset({"ACTIVE", "AUDITION", "ALUMNI"}),
    # Rejoining.
    "ALUMNI": frozenset({"ACTIVE", "AUDITION"}),
}


def may_become(old: str, new: str) -> bool:
    """Whether a member may go from one status to the other; staying is no change."""
    return new in _NEXT[old]


def next_statuses(old: str) -> tuple[str, ...]:
    """What a member may become from here, in the order in which statuses are listed."""
    return tuple(status for status in STATUSES if status in _NEXT[old])


def gives_up_playing(new: str) -> bool:
    """Whether the playing roles and the leading of sections end with this status."""
    return new in ("INACTIVE", "ALUMNI")
