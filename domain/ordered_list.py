"""Lists that people put in order by hand. Knows ids and positions; not tables."""

from collections.abc import Collection, Sequence


def permutation_fault(given: Sequence[str], existing: Collection[str], whose: str = "this organization") -> str | None:
    """What keeps the ids from being every existing one exactly once, or None. whose: what a foreign id is not of."""
    if len(set(given)) != len(given):
        return "an id is repeated"
    if foreign := set(given) - set(existing):
        return f"{min(foreign)} is not of {whose}"
    if missing := set(existing) - set(given):
        return f"{len(missing)} of {len(existing)} ids are missing, {min(missing)} among them"
    return None
