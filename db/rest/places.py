"""A place inside JSON text: the steps of `->a->0->>b`, and SQLite's words for them. Knows no column and no value."""

from typing import NamedTuple

from db.errors import Invalid

__all__ = ["JsonPath"]


class JsonPath(NamedTuple):
    """Keys and places in lists, in order. as_text: whether the value is wanted as text (`->>`) instead of as JSON."""

    steps: tuple[str | int, ...]
    as_text: bool

    @property
    def last_key(self) -> str | None:
        """The last step that is a key: the name of the value in an answer."""
        return next((step for step in reversed(self.steps) if isinstance(step, str)), None)

    @property
    def sqlite(self) -> str:
        """The path as SQLite's JSON functions take it. Raises Invalid PGRST127 for keys that they cannot name."""
        return "$" + "".join(map(_step, self.steps))


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]" if step >= 0 else f"[#{step}]"
    if '"' in step or "\\" in step:
        raise Invalid(
            "Feature not implemented", code="PGRST127", details=f"keys with a quote or a backslash in a path: {step!r}"
        )
    return f'."{step}"'
