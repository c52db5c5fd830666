"""Who may say what about coming to something, by its clock, and percentages. Knows moments; not people or tables."""

from typing import Literal

Answer = Literal["allowed", "forbidden", "not_started", "closed"]


def has_started(starts_at: str, now: str) -> bool:
    """Whether it has begun; the first moment counts. Both are 24 characters of UTC."""
    return now >= starts_at


def judge_intention(*, started: bool, own: bool, recorder: bool, trusted: bool) -> Answer:
    """Whether somebody may say that a person means to come.

    own: about oneself. recorder: keeps the attendance list. trusted: everybody answers for herself, later on too.
    """
    if not own:
        return "allowed" if recorder else "forbidden"
    return "allowed" if not started or recorder or trusted else "closed"


def judge_presence(*, started: bool, own: bool, recorder: bool, trusted: bool) -> Answer:
    """Whether somebody may say that a person was there; the words are those of `judge_intention`."""
    if not started:
        return "not_started"
    return "allowed" if recorder or (own and trusted) else "forbidden"


def percent(part: int, whole: int) -> int:
    """100 x part / whole as a whole number, halves up; 0 of nothing."""
    return (200 * part + whole) // (2 * whole) if whole else 0
