"""CSV and form bodies to rows of text. Knows the two formats; not columns or their types."""

import csv
import io
from typing import NoReturn
from urllib.parse import parse_qsl

from db.errors import Invalid
from db.rest.limits import within

__all__ = ["CSV_TYPE", "FORM_TYPE", "parse_csv", "parse_form"]

CSV_TYPE = "text/csv"
FORM_TYPE = "application/x-www-form-urlencoded"
_NULL = "NULL"
_FIELDS = 1_000  # of one form


def parse_csv(body: bytes, most_rows: int) -> list[dict[str, str | None]]:
    """The rows under a header line; `NULL` is null. Raises Invalid PGRST102, TooLarge."""
    try:
        lines = list(csv.reader(io.StringIO(_decoded(body), newline=""), strict=True))
    except csv.Error as exc:
        _refuse(str(exc), exc)
    filled = [line for line in lines if line]
    if not filled:
        _refuse("wanted a header line")
    names, rows = filled[0], filled[1:]
    if len(set(names)) < len(names) or not all(names):
        _refuse("wanted a header line in which every column has a name of its own")
    within(len(rows), most_rows, "rows in one insert")
    if any(len(row) != len(names) for row in rows):
        raise Invalid("All lines must have same number of fields", code="PGRST102")
    return [{name: None if value == _NULL else value for name, value in zip(names, row, strict=True)} for row in rows]


def parse_form(body: bytes) -> dict[str, str | None]:
    """The fields of a form, the last of a name. Raises Invalid PGRST102, TooLarge."""
    within(body.count(b"&") + 1, _FIELDS, "fields of a form")
    try:
        pairs = parse_qsl(_decoded(body), keep_blank_values=True, errors="strict")
    except ValueError as exc:
        _refuse(str(exc), exc)
    return dict(pairs)


def _decoded(body: bytes) -> str:
    """The text, without the mark some programs put before UTF-8."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        _refuse("wanted UTF-8", exc)


def _refuse(details: str, cause: Exception | None = None) -> NoReturn:
    raise Invalid("Empty or invalid text body", code="PGRST102", details=details) from cause
