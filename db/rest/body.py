"""Bodies to rows of a write: JSON, CSV, forms. Knows the key-set rules; not columns, types or policies."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn, TypeGuard

from db.errors import Invalid
from db.rest.limits import LIMITS, Limits, within

__all__ = ["JsonRow", "parse_changes", "parse_rows"]

_JSON_TYPES = ("", "application/json", "application/vnd.pgrst.object+json", "application/vnd.pgrst.array+json")

JsonRow = dict[str, Any]


def parse_rows(
    body: bytes,
    columns: Sequence[str] | None,
    *,
    missing_default: bool,
    media_type: str = "",
    limits: Limits = LIMITS,
) -> tuple[JsonRow, ...]:
    """The rows of an insert: one object, or a list of at most `limits.insert_rows`.

    columns: the keys to take; without them every row must have the keys of the first. A key that is missing is
    null, or left out with missing_default. media_type: JSON unless it says CSV or a form, whose values stay text.
    Raises Invalid PGRST102, TooLarge.
    """
    parsed = _parse(body, media_type, limits)
    given: list[Any] = parsed if _is_list(parsed) else [parsed]
    within(len(given), limits.insert_rows, "rows in one insert")
    rows = [row for row in given if _is_object(row)]
    if len(rows) != len(given):
        wanted = "wanted an object, or a list of objects"
        if not _is_list(parsed):
            _refuse(wanted)
        raise Invalid("All object keys must match", code="PGRST102", details=wanted)
    if columns is None:
        if any(row.keys() != rows[0].keys() for row in rows):
            raise Invalid("All object keys must match", code="PGRST102", hint="Name the keys with columns=a,b.")
        return tuple(rows)
    if missing_default:
        return tuple({key: row[key] for key in columns if key in row} for row in rows)
    return tuple({key: row.get(key) for key in columns} for row in rows)


def parse_changes(body: bytes, columns: Sequence[str] | None, media_type: str = "") -> JsonRow:
    """The new values of an update: one object, or a list of one.

    columns: the keys to take, the others are ignored. Raises Invalid PGRST102.
    """
    parsed = _parse(body, media_type, LIMITS)
    if _is_list(parsed) and len(parsed) == 1:
        parsed = parsed[0]
    if not _is_object(parsed):
        _refuse("wanted one object")
    return parsed if columns is None else {key: parsed[key] for key in columns if key in parsed}


def _parse(body: bytes, media_type: str, limits: Limits) -> Any:
    """The value of the body: of JSON, or of text in rows."""
    if media_type in _JSON_TYPES:
        return _parse_json(body)
    from db.rest.text_body import CSV_TYPE, FORM_TYPE, parse_csv, parse_form  # here, because few requests send them

    if media_type == CSV_TYPE:
        return parse_csv(body, limits.insert_rows)
    if media_type == FORM_TYPE:
        return parse_form(body)
    raise Invalid(
        f"Content-Type not acceptable: {media_type}",
        code="PGRST102",
        hint=f"Send {_JSON_TYPES[1]}, {CSV_TYPE} or {FORM_TYPE}.",
    )


def _parse_json(body: bytes) -> Any:
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
