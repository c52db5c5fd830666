"""`Accept` to the form an answer takes. Knows media types; not tables, rows or statuses."""

from typing import NamedTuple

from db.errors import NotAcceptable
from db.rest.preferences import Pairs

__all__ = ["CSV", "JSON", "PLAN_JSON", "SINGULAR", "Media", "parse_accept"]

JSON = "application/json"
CSV = "text/csv"
SINGULAR = "application/vnd.pgrst.object"
_ARRAY = "application/vnd.pgrst.array"
_PLAN = "application/vnd.pgrst.plan"
PLAN_JSON = f"{_PLAN}+json"
_ANY = ("*/*", "application/*", JSON)
_TEXT_ANY = ("text/*", CSV)
_QUALITY_OF_NOTHING = 0.0


class Media(NamedTuple):
    """The form of an answer. name: the media type. stripped: whether keys that are null are left out."""

    name: str = JSON
    stripped: bool = False

    @property
    def singular(self) -> bool:
        """Whether one object is wanted instead of a list."""
        return self.name == f"{SINGULAR}+json"

    @property
    def plan(self) -> bool:
        """Whether the query plan is wanted instead of rows."""
        return self.name.startswith(_PLAN)

    @property
    def content_type(self) -> str:
        """The value of `Content-Type`."""
        return f"{self.name}{';nulls=stripped' if self.stripped else ''}; charset=utf-8"


def parse_accept(headers: Pairs) -> Media:
    """The first form of the accepted ones that there is, the most wanted first.

    Raises NotAcceptable PGRST107 when there is none.
    """
    accepted = ",".join(value for name, value in headers if name.lower() == "accept")
    if not accepted.strip() or accepted == "*/*":
        return Media()
    given = [_parsed(part) for part in _split(accepted)]
    for name, parameters in sorted(given, key=lambda item: -_quality(item[1])):
        media = _known(name, parameters)
        if media and _quality(parameters) > _QUALITY_OF_NOTHING:
            return media
    raise NotAcceptable(
        f"None of these media types are available: {', '.join(name for name, _ in given)}",
        code="PGRST107",
        hint=f"Ask for {JSON}, {SINGULAR}+json or {CSV}.",
    )


def _split(accepted: str) -> list[str]:
    """The parts between commas; a plan's `for="..."` may hold one."""
    parts: list[str] = [""]
    for place, piece in enumerate(accepted.split('"')):
        if place % 2:
            parts[-1] += piece
            continue
        first, *more = piece.split(",")
        parts[-1] += first
        parts += more
    return [part.strip() for part in parts if part.strip()]


def _parsed(part: str) -> tuple[str, dict[str, str]]:
    """A media type and its parameters."""
    name, *parameters = part.split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    return name.strip().lower(), {key.strip().lower(): value.strip() for key, _, value in pairs}


def _known(name: str, parameters: dict[str, str]) -> Media | None:
    """The form of a media type, or None."""
    stripped = parameters.get("nulls") == "stripped"
    match name:
        case _ if name in _ANY:
            return Media()
        case _ if name in _TEXT_ANY:
            return Media(CSV)
        case "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object":
            return Media(f"{SINGULAR}+json", stripped)
        case "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array":
            return Media(f"{_ARRAY}+json", True) if stripped else Media()
        case "application/vnd.pgrst.plan+json":
            return Media(PLAN_JSON)
        case "application/vnd.pgrst.plan+text" | "application/vnd.pgrst.plan":
            return Media(f"{_PLAN}+text")
        case _:
            return None


def _quality(parameters: dict[str, str]) -> float:
    """How much a media type is wanted, 0 to 1."""
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 1.0
