"""Select and order text to typed items: `id,label:name,editions!inner(name)`, `pages.sum()`, `name.desc.nullslast`.

Knows PostgREST's grammar; not which columns or relationships exist.
"""

from dataclasses import dataclass
from typing import NamedTuple

from db.rest.lexer import Cursor
from db.rest.limits import LIMITS, Limits, within
from db.rest.places import JsonPath

__all__ = [
    "AGGREGATES",
    "Embed",
    "OrderTerm",
    "Pick",
    "SelectItem",
    "Star",
    "parse_names",
    "parse_order",
    "parse_select",
]

AGGREGATES = ("count", "sum", "avg", "min", "max")


@dataclass(frozen=True, slots=True)
class Star:
    """Every visible column."""


class Pick(NamedTuple):
    """One value, under its own name or an alias: `alias:column->path::cast.aggregate()::aggregate_cast`.

    column: None for a bare `count()`.
    """

    column: str | None
    alias: str | None = None
    path: JsonPath | None = None
    cast: str | None = None
    aggregate: str | None = None
    aggregate_cast: str | None = None

    @property
    def key(self) -> str:
        """Its name in the answer."""
        inside = self.path.last_key if self.path else None
        return self.alias or self.aggregate or inside or self.column or ""


class Embed(NamedTuple):
    """Rows of a related table. hint: a column, a foreign key's name or a join table. inner: drops parents without.

    spread: whether its values stand among those of the row it belongs to.
    """

    target: str
    select: tuple["SelectItem", ...]
    alias: str | None = None
    hint: str | None = None
    inner: bool = False
    spread: bool = False

    @property
    def key(self) -> str:
        """Its name in the answer, and in filters."""
        return self.alias or self.target


SelectItem = Star | Pick | Embed


class OrderTerm(NamedTuple):
    """One value of an order. nulls_first: Postgres's default is that nulls count as the greatest.

    embed: the to-one embed whose column it is, None for the table's own.
    """

    column: str
    descending: bool
    nulls_first: bool
    path: JsonPath | None = None
    embed: str | None = None


def parse_select(text: str, limits: Limits = LIMITS) -> tuple[SelectItem, ...]:
    """The items in order; empty text means every column. Raises Invalid, TooLarge."""
    if not text.strip():
        return (Star(),)
    cursor = Cursor(text, "select parameter", limits)
    items = _items(cursor, 0)
    cursor.need_end()
    every = list(_walk(items))
    within(len(every), limits.select_items, "select items")
    within(sum(isinstance(item, Embed) for item in every), limits.embeds, "embeds")
    return items


def parse_order(text: str, limits: Limits = LIMITS) -> tuple[OrderTerm, ...]:
    """The terms in order. Raises Invalid, TooLarge."""
    cursor = Cursor(text, "order", limits)
    terms = [_order_term(cursor)]
    while cursor.take(","):
        terms.append(_order_term(cursor))
    cursor.need_end()
    within(len(terms), limits.order_terms, "order terms")
    return tuple(terms)


def parse_names(text: str, subject: str) -> tuple[str, ...]:
    """Names between commas, each bare or quoted. Raises Invalid."""
    cursor = Cursor(text, subject)
    names = [cursor.name()]
    while cursor.take(","):
        names.append(cursor.name())
    cursor.need_end()
    return tuple(names)


def _walk(items: tuple[SelectItem, ...]) -> list[SelectItem]:
    """The items and everything inside them."""
    return [found for item in items for found in (item, *(_walk(item.select) if isinstance(item, Embed) else ()))]


def _items(cursor: Cursor, depth: int) -> tuple[SelectItem, ...]:
    """Items between commas. depth: how many embeds they stand in."""
    within(depth, cursor.limits.embed_depth, "levels of embedding")
    items = [_item(cursor, depth)]
    while cursor.take(","):
        items.append(_item(cursor, depth))
    return tuple(items)


def _item(cursor: Cursor, depth: int) -> SelectItem:
    """One item."""
    if cursor.take("*"):
        return Star()
    spread = cursor.take("...")
    name, alias = cursor.name(), None
    if cursor.sees(":") and not cursor.sees("::") and not spread:
        cursor.need(":")
        alias, name = name, cursor.name()
    counted = name == "count" and cursor.sees("()")
    if spread or cursor.sees("!") or (cursor.sees("(") and not counted):
        return _embed(cursor, name, alias, spread, depth)
    if counted:
        cursor.need("()")
        return Pick(None, alias, aggregate="count", aggregate_cast=_cast(cursor))
    return _pick(cursor, name, alias)


def _pick(cursor: Cursor, name: str, alias: str | None) -> Pick:
    """A value whose column has been read."""
    path, cast = cursor.path(), _cast(cursor)
    if not cursor.take("."):
        return Pick(name, alias, path, cast)
    aggregate = cursor.until("(,)")
    if aggregate not in AGGREGATES:
        cursor.position -= len(aggregate)
        cursor.fail(f"an aggregate ({', '.join(AGGREGATES)})")
    cursor.need("()")
    return Pick(name, alias, path, cast, aggregate, _cast(cursor))


def _cast(cursor: Cursor) -> str | None:
    """The type after `::`, in lower case."""
    return cursor.until(',.()"').strip().lower() if cursor.take("::") else None


def _embed(cursor: Cursor, name: str, alias: str | None, spread: bool, depth: int) -> Embed:
    """An embed whose name has been read; `()` embeds nothing and serves filters only."""
    hint, inner = None, False
    while cursor.take("!"):
        word = cursor.name()
        if word in ("inner", "left"):
            inner = word == "inner"
        elif hint is None:
            hint = word
        else:
            cursor.fail("one hint at most")
    cursor.need("(")
    items: tuple[SelectItem, ...] = ()
    if not cursor.take(")"):
        items = _items(cursor, depth + 1)
        cursor.need(")")
    return Embed(name, items, alias, hint, inner, spread)


def _order_term(cursor: Cursor) -> OrderTerm:
    """One `column[.asc|.desc][.nullsfirst|.nullslast]`, or the same with `embed(column)`."""
    embed, column, path = None, cursor.name(), cursor.path()
    if path is None and cursor.take("("):
        embed, column, path = column, cursor.name(), cursor.path()
        cursor.need(")")
    words: list[str] = []
    while cursor.take("."):
        words.append(cursor.name())
    direction = words.pop(0) if words and words[0] in ("asc", "desc") else "asc"
    nulls = words.pop(0) if words and words[0] in ("nullsfirst", "nullslast") else None
    if words:
        cursor.fail("asc or desc, then nullsfirst or nullslast")
    descending = direction == "desc"
    nulls_first = descending if nulls is None else nulls == "nullsfirst"
    return OrderTerm(column, descending, nulls_first, path, embed)
