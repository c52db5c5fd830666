"""Query parameters to select, filters, order and page of the table and of each embed. Knows names; no schema."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from db.errors import Invalid
from db.rest.filters import Filter, Logic, parse_condition, parse_logic
from db.rest.lexer import Cursor
from db.rest.limits import LIMITS, Limits, within
from db.rest.places import JsonPath
from db.rest.preferences import Pairs, range_error
from db.rest.select import OrderTerm, SelectItem, Star, parse_names, parse_order, parse_select

__all__ = ["Path", "Query", "Restriction", "parse_query"]

Path = tuple[str, ...]
"""Names of the embeds to go through; () is the table itself."""

_PLAIN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_DIGITS = 18  # below 2^63, SQLite's largest integer
_ROOT_ONLY = ("select", "columns", "on_conflict")


@dataclass(frozen=True, slots=True)
class Restriction:
    """Which rows of one table, in which order. limit: rows, None for all. offset: rows passed over."""

    filters: tuple[Filter, ...] = ()
    order: tuple[OrderTerm, ...] = ()
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """The parsed query string. columns: keys to take from the body, None for those of its first object."""

    select: tuple[SelectItem, ...]
    restrictions: Mapping[Path, Restriction]
    columns: tuple[str, ...] | None
    on_conflict: tuple[str, ...]


@dataclass(slots=True)
class _Parts:
    """The parameters of one path, as they are met."""

    filters: list[Filter] = field(default_factory=list[Filter])
    once: dict[str, str] = field(default_factory=dict[str, str])


def parse_query(pairs: Pairs, limits: Limits = LIMITS) -> Query:
    """The query. Raises Invalid PGRST100 naming the text, RangeUnsatisfiable, TooLarge naming the limit."""
    within(sum(len(name) + len(value) for name, value in pairs), limits.query_characters, "characters of query string")
    paths: dict[Path, _Parts] = {}
    for name, value in pairs:
        _check_text(name, value)
        _add(paths, name, value, limits)
    within(sum(_conditions(parts.filters) for parts in paths.values()), limits.filters, "filters")
    root = paths.get((), _Parts()).once
    columns = root.get("columns")
    conflict = root.get("on_conflict")
    return Query(
        parse_select(root["select"], limits) if "select" in root else (Star(),),
        {path: _restriction(parts, limits) for path, parts in paths.items()},
        parse_names(columns, "columns parameter") if columns else None,
        parse_names(conflict, "on_conflict parameter") if conflict else (),
    )


def _add(paths: dict[Path, _Parts], name: str, value: str, limits: Limits) -> None:
    """Put one parameter where it belongs."""
    (*path, last), place = _split(name, limits)
    negated = last in ("and", "or") and path[-1:] == ["not"]
    if negated:
        path.pop()
    within(len(path), limits.embed_depth, "levels of embedding")
    parts = paths.setdefault(tuple(path), _Parts())
    if place is None and last in ("and", "or"):
        parts.filters.append(parse_logic(last, negated, value, limits))
    elif (place is None and last in ("order", "limit", "offset")) or (last in _ROOT_ONLY and not path):
        if last in parts.once:
            raise Invalid(f"the parameter {name} was given twice", code="PGRST100", hint="Join the values by commas.")
        parts.once[last] = value
    else:
        parts.filters.append(parse_condition(last, value, place, limits))


def _split(name: str, limits: Limits) -> tuple[list[str], JsonPath | None]:
    """The names between the dots of a parameter's name, and the way into JSON after the last."""
    if _PLAIN.fullmatch(name):
        return name.split("."), None
    cursor = Cursor(name, "parameter name", limits)
    names = [cursor.name()]
    while cursor.take("."):
        names.append(cursor.name())
    place = cursor.path()
    cursor.need_end()
    return names, place


def _restriction(parts: _Parts, limits: Limits) -> Restriction:
    """The rows that the parameters of one path leave."""
    once = parts.once
    order = once.get("order", "")
    return Restriction(
        tuple(parts.filters),
        parse_order(order, limits) if order else (),
        _count(once["limit"], "limit") if "limit" in once else None,
        _count(once["offset"], "offset") if "offset" in once else 0,
    )


def _count(text: str, name: str) -> int:
    """A number of rows, 0 or more."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise Invalid(f"failed to parse {name} ({text[:40]})", code="PGRST100", details="wanted a whole number")
    if text.startswith("-"):
        raise range_error(f"{name.capitalize()} should be greater than or equal to zero.")
    if len(digits) > _DIGITS:
        raise range_error(f"{name.capitalize()} should have at most {_DIGITS} digits.")
    return int(digits)


def _conditions(filters: Sequence[Filter]) -> int:
    """How many comparisons the trees hold; a quantified one is as many as it has values."""
    return sum(
        _conditions(tree.members) if isinstance(tree, Logic) else len(tree.value) if tree.quantifier else 1
        for tree in filters
    )


def _check_text(*texts: str) -> None:
    """Refuse what SQLite's text cannot hold: NUL and half surrogate pairs."""
    for text in texts:
        if "\x00" in text or not (text.isascii() or _is_whole(text)):
            raise Invalid("the query string holds NUL or half a surrogate pair", code="PGRST100")


def _is_whole(text: str) -> bool:
    """Whether the text has a form in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
