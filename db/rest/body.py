"""JSON bodies to rows of a write. Knows JSON and the key-set rules; not columns, types or policies."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn, TypeGuard

from db.errors import Invalid
from db.rest.limits import INSERT_ROWS, within

__all__ = ["JsonRow", "parse_changes", "parse_rows"]

JsonRow = dict[str, Any]


def parse_rows(body: bytes, columns: Sequence[str] | None, *, missing_default: bool) -> tuple[JsonRow, ...]:
    """The rows of an insert: one object, or a list of at most INSERT_ROWS.

    columns: the keys to take; without them every row must have the keys of the first. A key that is missing is
    null, or left out with missing_default. Raises Invalid PGRST102, TooLarge.
    """
    parsed = _parse(body)
    given: list[Any] = parsed if _is_list(parsed) else [parsed]
    within(len(given), INSERT_ROWS, "rows in one insert")
    rows = [row for row in given if _is_object(row)]
    if len(rows) != len(given):
        _refuse("wanted an object, or a list of objects")
    if columns is None:
        if any(row.keys() != rows[0].keys() for row in rows):
            raise Invalid("All object keys must match", code="PGRST102", hint="Name the keys with columns=a,b.")
        return tuple(rows)
    if missing_default:
        return tuple({key: row[key] for key in columns if key in row} for row in rows)
    return tuple({key: row.get(key) for key in columns} for row in rows)


def parse_changes(body: bytes, columns: Sequence[str] | None) -> JsonRow:
    """The new values of an update. columns: the keys to take, the others are ignored. Raises Invalid PGRST102."""
    parsed = _parse(body)
    if not _is_object(parsed):
        _refuse("wanted one object")
    return parsed if columns is None else {key: parsed[key] for key in columns if key in parsed}


def _parse(body: bytes) -> Any:
    """The JSON value; NaN, Infinity and half surrogate pairs, which Python's parser lets pass, are refused."""
    try:
        parsed = json.loads(body, parse_constant=_no_constant)
        if b"\\u" in body:
            json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        _refuse(str(exc), exc)
    return parsed


def _no_constant(name: str) -> NoReturn:
    """Refuse a number that JSON does not have."""
    raise ValueError(f"{name} is not JSON")


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether the value is a JSON list."""
    return isinstance(value, list)


def _is_object(value: Any) -> TypeGuard[JsonRow]:
    """Whether the value is a JSON object."""
    return isinstance(value, dict)


def _refuse(details: str, cause: Exception | None = None) -> NoReturn:
    """Raise Invalid PGRST102."""
    raise Invalid("Empty or invalid json", code="PGRST102", details=details) from cause
