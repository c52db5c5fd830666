"""Select and order text to typed items: `id,label:name,editions!inner(name)`, `name.desc.nullslast`.

Knows PostgREST's grammar; not which columns or relationships exist.
"""

from dataclasses import dataclass

from db.errors import Invalid
from db.rest.lexer import Cursor
from db.rest.limits import EMBED_DEPTH, EMBEDS, ORDER_TERMS, SELECT_ITEMS, within

__all__ = ["Embed", "OrderTerm", "Pick", "SelectItem", "Star", "parse_names", "parse_order", "parse_select"]


@dataclass(frozen=True, slots=True)
class Star:
    """Every visible column."""


@dataclass(frozen=True, slots=True)
class Pick:
    """One column, under its own name or an alias."""

    column: str
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Embed:
    """Rows of a related table. hint: a column, a foreign key's name or a join table. inner: drops parents without."""

    target: str
    select: tuple["SelectItem", ...]
    alias: str | None = None
    hint: str | None = None
    inner: bool = False

    @property
    def key(self) -> str:
        """Its name in the answer."""
        return self.alias or self.target


SelectItem = Star | Pick | Embed


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One column of an order. nulls_first: Postgres's default is that nulls count as the greatest."""

    column: str
    descending: bool
    nulls_first: bool


def parse_select(text: str) -> tuple[SelectItem, ...]:
    """The items in order; empty text means every column. Raises Invalid, TooLarge."""
    if not text.strip():
        return (Star(),)
    cursor = Cursor(text, "select parameter")
    items = _items(cursor, 0)
    cursor.need_end()
    every = list(_walk(items))
    within(len(every), SELECT_ITEMS, "select items")
    within(sum(isinstance(item, Embed) for item in every), EMBEDS, "embeds")
    return items


def parse_order(text: str) -> tuple[OrderTerm, ...]:
    """The terms in order. Raises Invalid, TooLarge."""
    cursor = Cursor(text, "order")
    terms = [_order_term(cursor)]
    while cursor.take(","):
        terms.append(_order_term(cursor))
    cursor.need_end()
    within(len(terms), ORDER_TERMS, "order terms")
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
    within(depth, EMBED_DEPTH, "levels of embedding")
    items = [_item(cursor, depth)]
    while cursor.take(","):
        items.append(_item(cursor, depth))
    return tuple(items)


def _item(cursor: Cursor, depth: int) -> SelectItem:
    """One item."""
    if cursor.take("*"):
        return Star()
    if cursor.sees("..."):
        raise Invalid("spreading an embed with ... is not implemented", code="PGRST127")
    name, alias = cursor.name(), None
    if cursor.sees(":") and not cursor.sees("::"):
        cursor.need(":")
        alias, name = name, cursor.name()
    _refuse_unsupported(cursor, name)
    hint, inner = None, False
    joined = cursor.sees("!")
    while cursor.take("!"):
        word = cursor.name()
        if word in ("inner", "left"):
            inner = word == "inner"
        elif hint is None:
            hint = word
        else:
            cursor.fail("one hint at most")
    if joined or cursor.sees("("):
        return Embed(name, _embedded(cursor, depth), alias, hint, inner)
    return Pick(name, alias)


def _embedded(cursor: Cursor, depth: int) -> tuple[SelectItem, ...]:
    """The items in the brackets of an embed; `()` embeds nothing and serves filters only."""
    cursor.need("(")
    if cursor.take(")"):
        return ()
    items = _items(cursor, depth + 1)
    cursor.need(")")
    return items


def _refuse_unsupported(cursor: Cursor, name: str) -> None:
    """Name what the grammar of PostgREST has and this one lacks."""
    if cursor.sees("::"):
        raise Invalid(f"{name}: casts are not implemented", code="PGRST127")
    if cursor.sees(".") or (name == "count" and cursor.sees("()")):
        raise Invalid("use of aggregate functions is not allowed", code="PGRST123")


def _order_term(cursor: Cursor) -> OrderTerm:
    """One `column[.asc|.desc][.nullsfirst|.nullslast]`."""
    column = cursor.name()
    if cursor.sees("("):
        raise Invalid(f"{column}: ordering by an embed's column is not implemented", code="PGRST127")
    words: list[str] = []
    while cursor.take("."):
        words.append(cursor.name())
    direction = words.pop(0) if words and words[0] in ("asc", "desc") else "asc"
    nulls = words.pop(0) if words and words[0] in ("nullsfirst", "nullslast") else None
    if words:
        cursor.fail("asc or desc, then nullsfirst or nullslast")
    descending = direction == "desc"
    return OrderTerm(column, descending, descending if nulls is None else nulls == "nullsfirst")
