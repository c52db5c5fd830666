"""SQL functions over JSON text: order, containment, overlap, as Postgres has them for jsonb. Knows no table.

A list that came in Postgres's own text form (`{a,b}`) is compared by the text of the values, since its type is not
known: it arrives here as `{"texts": [...]}` with a mark that no client can send.
"""

import json
from functools import lru_cache
from typing import Any

from db.errors import Invalid
from db.fields import is_json_list, is_json_object
from db.rest.array_text import parse_array
from db.transaction import SqlValue

__all__ = ["json_compare", "json_test", "json_text", "wanted_json"]

_MARK = "\x00texts"  # NUL is refused in every request
_RANKS = {type(None): 0, str: 1, int: 2, float: 2, bool: 3, list: 4, dict: 5}


def wanted_json(text: str) -> str:
    """The value of a cs, cd or ov filter in the form `json_test` takes. Raises Invalid 22P02."""
    if text.startswith("{"):
        values = parse_array(text)
        if values is not None:
            return json.dumps({_MARK: values})
    return json_text(text)


def json_text(text: str) -> str:
    """The text, once it is known to be JSON. Raises Invalid 22P02."""
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise Invalid("invalid input syntax for type json", code="22P02", details=f"got {text[:80]!r}") from exc
    return text


def json_compare(document: SqlValue, wanted: str) -> int | None:
    """-1, 0 or 1 as the document stands to the wanted value; NULL without one, or for one too deep to compare."""
    found = _parsed(document)
    if found is _NOTHING:
        return None
    try:
        left, right = _key(found), _key(_wanted(wanted))
        return (left > right) - (left < right)
    except RecursionError:
        return None


def json_test(operator: str, document: SqlValue, wanted: str) -> bool | None:
    """Whether the document contains (cs), is contained in (cd) or overlaps (ov) the value; NULL as above."""
    found, value = _parsed(document), _wanted(wanted)
    if found is _NOTHING:
        return None
    if is_json_object(value) and _MARK in value:
        found, value = _texts(found), value[_MARK]
    try:
        return _holds(operator, found, value)
    except RecursionError:
        return None


def _holds(operator: str, found: Any, value: Any) -> bool:
    """The test itself, on values."""
    if operator == "cs":
        return _contains(found, value)
    if operator == "cd":
        return _contains(value, found)
    return is_json_list(found) and is_json_list(value) and any(item in value for item in found)


_NOTHING = object()


def _parsed(document: SqlValue) -> Any:
    """The value of JSON text, or _NOTHING."""
    if not isinstance(document, str):
        return _NOTHING if document is None or isinstance(document, bytes) else document
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return _NOTHING


@lru_cache(maxsize=16)
def _wanted(text: str) -> Any:
    """The value of a filter; the same one for every row."""
    return json.loads(text)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _texts(found: Any) -> Any:
    """The values of a list by their text, as Postgres would print them; anything else as it is."""
    if not is_json_list(found):
        return found
    return [item if item is None or isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in found]


def _contains(outer: Any, inner: Any) -> bool:
    """Whether every part of `inner` is in `outer`: keys in objects, values anywhere in lists."""
    if is_json_object(inner):
        return is_json_object(outer) and all(key in outer and _contains(outer[key], inner[key]) for key in inner)
    if is_json_list(inner):
        if not inner and is_json_object(outer):
            return True
        return is_json_list(outer) and all(any(_contains(item, part) for item in outer) for part in inner)
    if is_json_list(outer):
        return any(_same(item, inner) for item in outer)
    return _same(outer, inner)


def _same(left: Any, right: Any) -> bool:
    """Whether two values are equal and of one type; Python would take 1 for true."""
    return _key(left) == _key(right)


def _key(value: Any) -> tuple[Any, ...]:
    """A key that sorts as jsonb does: by type, then lists and objects by size, then by value."""
    rank = _RANKS[type(value)]
    if is_json_list(value):
        return (rank, len(value), tuple(map(_key, value)))
    if is_json_object(value):
        return (rank, len(value), tuple((key, _key(value[key])) for key in sorted(value)))
    return (rank, 0 if value is None else value)
