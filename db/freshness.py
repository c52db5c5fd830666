"""How current a read must be. Data only."""

from dataclasses import dataclass

from db.bookmark import Bookmark


@dataclass(frozen=True, slots=True)
class Freshness:
    """How current a read must be. look: ask the store for newer commits. bookmark: a commit that must be there."""

    look: bool = True
    bookmark: Bookmark | None = None


FIRST_PRIMARY = Freshness()
FIRST_UNCONSTRAINED = Freshness(look=False)
