"""How current a read or write must be. Data, and the order of what begins within this process."""

from dataclasses import dataclass
from itertools import count

from db.log.bookmark import Bookmark

NEVER = -1
_INSTANTS = count(1)


def instant() -> int:
    """A number above all that were given out before in this process: tells what began after what, by no clock."""
    return next(_INSTANTS)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How current a read must be.

    look: ask the store for newer commits. since: a look that began after this `instant` will do, one of the opening of
    the vault among them; None: it takes a new one. bookmark: a commit that must be there.
    """

    look: bool = True
    bookmark: Bookmark | None = None
    since: int | None = None


FIRST_PRIMARY = Freshness()
FIRST_UNCONSTRAINED = Freshness(look=False)
