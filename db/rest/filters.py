"""Filter text to a tree of conditions: `gte.5`, `not.in.(a,b)`, `or=(a.eq.1,and(b.is.null,c.lt.2))`.

Knows PostgREST's grammar; not which columns exist, nor their types.
"""

from dataclasses import dataclass

from db.errors import Invalid
from db.rest.lexer import Cursor
from db.rest.limits import LOGIC_DEPTH, within

__all__ = ["COMPARISONS", "Condition", "Filter", "Logic", "parse_condition", "parse_logic"]

COMPARISONS = ("eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "isdistinct")
_IS_WORDS = ("null", "not_null", "true", "false", "unknown")
_NOT_IMPLEMENTED = frozenset(
    ("match", "imatch", "fts", "plfts", "phfts", "wfts", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj")
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One test of one column. operator: a comparison, `in` or `is`. value: a tuple for `in`, a word for `is`."""

    column: str
    operator: str
    value: str | tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Logic:
    """Several tests joined. operator: `and` or `or`."""

    operator: str
    members: tuple["Filter", ...]
    negated: bool = False


Filter = Condition | Logic


def parse_condition(column: str, text: str) -> Condition:
    """The condition of a parameter `column=text`; quotes mean something inside `in.(...)` only. Raises Invalid."""
    cursor = Cursor(text, "filter")
    negated, operator = _operator(cursor)
    if operator == "in":
        condition = Condition(column, operator, _list(cursor), negated)
    elif operator == "is":
        condition = Condition(column, operator, _is_word(cursor, cursor.rest()), negated)
    else:
        condition = Condition(column, operator, cursor.rest(), negated)
    cursor.need_end()
    return condition


def parse_logic(operator: str, negated: bool, text: str) -> Logic:
    """The tree of a parameter `and=text` or `or=text`. Raises Invalid, TooLarge."""
    cursor = Cursor(text, "logic tree")
    logic = Logic(operator, _members(cursor, 1), negated)
    cursor.need_end()
    return logic


def _members(cursor: Cursor, depth: int) -> tuple[Filter, ...]:
    """What stands in the brackets."""
    within(depth, LOGIC_DEPTH, "levels of and(...) and or(...)")
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
    column = cursor.name()
    cursor.need(".")
    negated, operator = _operator(cursor)
    if operator == "in":
        return Condition(column, operator, _list(cursor), negated)
    if operator == "is":
        return Condition(column, operator, _is_word(cursor, cursor.until(",)")), negated)
    return Condition(column, operator, _value(cursor), negated)


def _operator(cursor: Cursor) -> tuple[bool, str]:
    """Whether `not.` stood before it, and the operator, with the dot after it read."""
    negated = cursor.take("not.")
    start = cursor.position
    operator = cursor.until(".(,)")
    if operator in _NOT_IMPLEMENTED or (operator in COMPARISONS and cursor.sees("(")):
        raise Invalid(f"the operator {cursor.text[start:][:40]!r} is not implemented", code="PGRST127")
    if operator not in (*COMPARISONS, "in", "is"):
        cursor.position = start
        cursor.fail(f"an operator ({', '.join(COMPARISONS)}, in, is; not. before any)")
    cursor.need(".")
    return negated, operator


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
        inside = cursor.until("}")
        cursor.need("}")
        return inside + "}"
    return cursor.until(",)")


def _is_word(cursor: Cursor, word: str) -> str:
    """A word that `is` takes, in lower case."""
    if word.lower() not in _IS_WORDS:
        cursor.fail(f"one of {', '.join(_IS_WORDS)} after is")
    return word.lower()
