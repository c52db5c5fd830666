"""Filter text to a tree of conditions: `gte.5`, `not.in.(a,b)`, `or=(a.eq.1,and(b.is.null,c.lt.2))`.

Knows PostgREST's grammar; not which columns exist, nor their types.
"""

from typing import NamedTuple

from db.rest.array_text import parse_array
from db.rest.lexer import Cursor
from db.rest.limits import LIMITS, Limits, within
from db.rest.places import JsonPath

__all__ = [
    "COMPARISONS",
    "CONTAINMENTS",
    "PATTERNS",
    "QUANTIFIED",
    "RANGES",
    "SEARCHES",
    "Condition",
    "Filter",
    "Logic",
    "parse_condition",
    "parse_logic",
]

COMPARISONS = ("eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "isdistinct")
PATTERNS = ("match", "imatch")
SEARCHES = ("fts", "plfts", "phfts", "wfts")
CONTAINMENTS = ("cs", "cd", "ov")
RANGES = ("sl", "sr", "nxr", "nxl", "adj")
QUANTIFIED = frozenset(("eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch"))
_QUANTIFIERS = ("any", "all")
_OPERATORS = (*COMPARISONS, *PATTERNS, *SEARCHES, *CONTAINMENTS, *RANGES, "in", "is")
_IS_WORDS = ("null", "not_null", "true", "false", "unknown")


class Condition(NamedTuple):
    """One test of one column, or of a place in the JSON it holds.

    value: a tuple for `in` and quantified operators, a word for `is`, else the text as given.
    quantifier: `any` or `all`. language: of a full-text search.
    """

    column: str
    operator: str
    value: str | tuple[str, ...]
    negated: bool = False
    path: JsonPath | None = None
    quantifier: str | None = None
    language: str | None = None


class Logic(NamedTuple):
    """Several tests joined. operator: `and` or `or`."""

    operator: str
    members: tuple["Filter", ...]
    negated: bool = False


Filter = Condition | Logic


class _Operator(NamedTuple):
    """What stands before the value, its dot included."""

    name: str
    negated: bool
    quantifier: str | None
    language: str | None


def parse_condition(column: str, text: str, path: JsonPath | None = None, limits: Limits = LIMITS) -> Condition:
    """The condition of a parameter `column=text`; quotes mean something inside brackets only. Raises Invalid."""
    cursor = Cursor(text, "filter", limits)
    operator = _operator(cursor)
    value: str | tuple[str, ...]
    if operator.name == "in":
        value = _list(cursor)
    elif operator.name == "is":
        value = _is_word(cursor, cursor.rest())
    else:
        value = _operand(cursor, operator, cursor.rest())
    cursor.need_end()
    return _condition(column, operator, value, path)


def parse_logic(operator: str, negated: bool, text: str, limits: Limits = LIMITS) -> Logic:
    """The tree of a parameter `and=text` or `or=text`. Raises Invalid, TooLarge."""
    cursor = Cursor(text, "logic tree", limits)
    logic = Logic(operator, _members(cursor, 1), negated)
    cursor.need_end()
    return logic


def _condition(column: str, operator: _Operator, value: str | tuple[str, ...], path: JsonPath | None) -> Condition:
    """The parts of a condition put together."""
    return Condition(column, operator.name, value, operator.negated, path, operator.quantifier, operator.language)


def _members(cursor: Cursor, depth: int) -> tuple[Filter, ...]:
    """What stands in the brackets."""
    within(depth, cursor.limits.logic_depth, "levels of and(...) and or(...)")
    cursor.need("(")
    members = [_member(cursor, depth)]
    while cursor.take(","):
        members.append(_member(cursor, depth))
    cursor.need(")")
    return tuple(members)


def _member(cursor: Cursor, depth: int) -> Filter:
    """One condition or one inner tree."""
    for word in ("and", "or"):
        for negated, prefix in ((False, word), (True, f"not.{word}")):
            if cursor.sees(f"{prefix}("):
                cursor.need(prefix)
                return Logic(word, _members(cursor, depth + 1), negated)
    column, path = cursor.name(), cursor.path()
    cursor.need(".")
    operator = _operator(cursor)
    value: str | tuple[str, ...]
    if operator.name == "in":
        value = _list(cursor)
    elif operator.name == "is":
        value = _is_word(cursor, cursor.until(",)"))
    elif operator.name in RANGES or (operator.name in CONTAINMENTS and not cursor.sees('"')):
        value = _bracketed(cursor)
    else:
        value = _operand(cursor, operator, _value(cursor))
    return _condition(column, operator, value, path)


def _operator(cursor: Cursor) -> _Operator:
    """The operator with its `not.` and what stands in brackets behind it, and the dot after it read."""
    negated = cursor.take("not.")
    start = cursor.position
    name = cursor.until(".(,)")
    if name not in _OPERATORS:
        cursor.position = start
        cursor.fail(f"an operator ({', '.join(_OPERATORS)}; not. before any)")
    quantifier = language = None
    if name in QUANTIFIED and cursor.take("("):
        quantifier = cursor.until(")")
        if quantifier not in _QUANTIFIERS:
            cursor.fail("any or all in the brackets")
        cursor.need(")")
    elif name in SEARCHES and cursor.take("("):
        language = cursor.until(")")
        cursor.need(")")
    cursor.need(".")
    return _Operator(name, negated, quantifier, language)


def _operand(cursor: Cursor, operator: _Operator, text: str) -> str | tuple[str, ...]:
    """The value; for a quantified operator the values of the list `{a,b}`."""
    if operator.quantifier is None:
        return text
    values = parse_array(text)
    if values is None or None in values:
        cursor.fail(f"values in braces after {operator.name}({operator.quantifier}), such as {{a,b}}")
    return tuple(value for value in values if value is not None)


def _list(cursor: Cursor) -> tuple[str, ...]:
    """The values of `in`; `()` is the empty list."""
    cursor.need("(")
    if cursor.take(")"):
        return ()
    values = [_value(cursor)]
    while cursor.take(","):
        values.append(_value(cursor))
    cursor.need(")")
    return tuple(values)


def _value(cursor: Cursor) -> str:
    """A value among others: quoted, in braces, or up to the next comma or bracket."""
    if cursor.sees('"'):
        return cursor.quoted()
    if cursor.sees("{"):
        return cursor.balanced("{", "}")
    return cursor.until(",)")


def _bracketed(cursor: Cursor) -> str:
    """A value that brings brackets of its own: a range `[1,5)`, a list or an object; else as any value."""
    if cursor.sees('"'):
        return cursor.quoted()
    if cursor.sees("[") or cursor.sees("("):
        return cursor.balanced("[(", "])")
    return _value(cursor)


def _is_word(cursor: Cursor, word: str) -> str:
    """A word that `is` takes, in lower case."""
    if word.lower() not in _IS_WORDS:
        cursor.fail(f"one of {', '.join(_IS_WORDS)} after is")
    return word.lower()
