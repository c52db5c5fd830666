"""Values for the parameters of one statement: from JSON to SQLite, and into the statement. Knows no table.

Parameters are numbered as SQLite does: `?` takes the number after the highest, `?NNN` is that number, a name takes the
next number where it first stands. CPython cannot bind names by position, so some texts are rewritten to numbers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from db.errors import Invalid
from db.fields import is_json_list
from db.sql.messages import SqlFailed
from db.transaction import SqlValue

# SQLite's own default; more than that in one statement would be taken for a mistake everywhere else.
MOST_PARAMETERS: Final = 32_766
_WORD = r"[A-Za-z0-9_$\x80-\U0010ffff]"
_TOKEN = re.compile(
    r"'[^']*'?|\"[^\"]*\"?|`[^`]*`?|\[[^\]]*\]?|--[^\n]*|/\*.*?(?:\*/|\Z)"
    rf"|(?P<number>\?[0-9]*)|(?P<name>[:@#$](?:{_WORD}|::)+(?:\([^\s)]*\))?)|{_WORD}+",
    re.DOTALL,
)
_INT64: Final = range(-(1 << 63), 1 << 63)
_BYTE: Final = range(256)

Bound = Sequence[SqlValue] | Mapping[str, SqlValue]


@dataclass(frozen=True, slots=True)
class _Place:
    """A parameter in the text: where, its number from 1, its name with the sign before it ('' for `?`)."""

    start: int
    end: int
    number: int
    name: str


def sql_values(given: Sequence[Any], *, as_real: bool = False) -> list[SqlValue]:
    """The values JSON holds as SQLite's: an integer stays one, true is 1, a list of bytes is a BLOB.

    as_real: numbers and booleans become REAL, as with D1. Raises Invalid (sql_request) for what has no such value.
    """
    return [_sql_value(value, place, as_real=as_real) for place, value in enumerate(given)]


def _sql_value(value: Any, place: int, *, as_real: bool) -> SqlValue:
    if value is None:
        return None
    if isinstance(value, str):
        # Half a surrogate pair has no UTF-8.
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool | int | float):
        whole = int(value) if isinstance(value, bool) else value
        return float(whole) if as_real or (isinstance(whole, int) and whole not in _INT64) else whole
    if is_json_list(value):
        if all(type(number) is int and number in _BYTE for number in value):
            return bytes(value)
        raise Invalid(f"params[{place}]: got a list, wanted bytes: integers from 0 to 255", code="sql_request")
    raise Invalid(
        f"params[{place}]: got an object, wanted text, a number, a boolean, null or bytes", code="sql_request"
    )


def bind(sql: str, values: Sequence[SqlValue]) -> tuple[str, Bound]:
    """The statement and its values as CPython takes them. Raises SqlFailed for too many values, or too few."""
    if not values and "?" not in sql and not any(sign in sql for sign in ":@$#"):
        return sql, ()
    places = list(_places(sql))
    wanted = max((place.number for place in places), default=0)
    # Of more than SQLite takes it complains itself, and says where.
    if wanted != len(values) and wanted <= MOST_PARAMETERS:
        raise SqlFailed("Wrong number of parameter bindings for SQL query.")
    if wanted > MOST_PARAMETERS or not any(place.name for place in places):
        return sql, values
    named = {place.name[1:]: place.number for place in places}
    if all(place.name for place in places) and len(named) == wanted:
        return sql, {name: values[number - 1] for name, number in named.items()}
    return _numbered(sql, places), values


def has_parameters(sql: str) -> bool:
    """Whether the statement has a place for a value."""
    return bool(_places(sql))


def _places(sql: str) -> list[_Place]:
    highest, numbers = 0, dict[str, int]()
    places: list[_Place] = []
    for found in _TOKEN.finditer(sql):
        if found.lastgroup == "number":
            number = int(found[0][1:]) if len(found[0]) > 1 else highest + 1
            name = ""
        elif found.lastgroup == "name":
            name = found[0]
            number = numbers.setdefault(name, highest + 1)
        else:
            continue
        highest = max(highest, number)
        places.append(_Place(found.start(), found.end(), number, name))
    return places


def _numbered(sql: str, places: Sequence[_Place]) -> str:
    """The same statement with numbers for names."""
    parts: list[str] = []
    done = 0
    for place in places:
        parts += (sql[done : place.start], f"?{place.number}")
        done = place.end
    return "".join((*parts, sql[done:]))
