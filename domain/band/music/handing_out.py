"""What may happen to a part that was given to a member. Knows the states of an assignment; not tables."""

from collections.abc import Mapping
from typing import Literal

Step = Literal["pick_up", "overdue", "return", "damaged", "lost"]
OPEN: tuple[str, ...] = ("ASSIGNED", "PICKED_UP", "OVERDUE")
STATUSES: tuple[str, ...] = (*OPEN, "RETURNED", "LOST", "DAMAGED")

_STEPS: Mapping[Step, tuple[frozenset[str], str]] = {
    "pick_up": (frozenset({"ASSIGNED"}), "PICKED_UP"),
    "overdue": (frozenset({"ASSIGNED", "PICKED_UP"}), "OVERDUE"),
    "return": (frozenset({"PICKED_UP", "OVERDUE"}), "RETURNED"),
    "damaged": (frozenset({"PICKED_UP", "OVERDUE"}), "DAMAGED"),
    "lost": (frozenset(OPEN), "LOST"),
}


def after(status: str, step: Step) -> str | None:
    """The status after the step, or None where it cannot be taken."""
    starts, end = _STEPS[step]
    return end if status in starts else None


def starts_of(step: Step) -> tuple[str, ...]:
    """The statuses in which the step can be taken, as they are listed."""
    return tuple(status for status in STATUSES if status in _STEPS[step][0])
