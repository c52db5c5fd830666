"""What storage costs an umbrella or a choir on its own. Knows bytes and prices in cents; no tables and no invoices."""

from collections.abc import Iterable
from fractions import Fraction
from math import ceil

MB, GB = 10**6, 10**9
CURRENCY = "EUR"
UMBRELLA_CENTS = 1000
GB_CENTS = 100
# Up to so many bytes a choir on its own pays so many cents a month.
CHOIR_STEPS = ((100 * MB, 0), (GB, 300), (10 * GB, 1000))
FREE_DAYS = 30


def shared_bytes(own_bytes: int, affiliates: Iterable[tuple[int, int]]) -> Fraction:
    """What counts for an umbrella: its own bytes and its share of each active affiliate's.

    affiliates: bytes of each, and how many umbrellas share them, this one included.
    """
    return own_bytes + sum((Fraction(size, umbrellas) for size, umbrellas in affiliates), Fraction())


def umbrella_cents(counted_bytes: Fraction) -> int:
    """Cents a month: a basic price and so much for each started gigabyte."""
    return UMBRELLA_CENTS + GB_CENTS * ceil(counted_bytes / GB)


def choir_cents(stored_bytes: int, *, free: bool) -> int | None:
    """Cents a month of a choir on its own; None past the last step, which is more than it may store.

    free: it is in its first days, or in grace.
    """
    if free:
        return 0
    return next((cents for most, cents in CHOIR_STEPS if stored_bytes <= most), None)
