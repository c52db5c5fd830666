"""Rows of a CSV, TSV, JSON or NDJSON file one by one, each with the line it begins on. Knows formats; not columns.

A file is read as it is used, so that its length does not matter; only JSON, which has no lines, is read whole.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from db.errors import Invalid
from db.fields import is_json_list, is_json_object

FORMATS = (".csv", ".tsv", ".json", ".ndjson", ".jsonl")
_LINES = (".ndjson", ".jsonl")


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row. line: on which it begins, from 1; of a JSON file its place in the list. values: text in a table."""

    line: int
    values: Mapping[str, Any]


def read_rows(file: Path) -> Iterator[FileRow]:
    """The rows in order; blank lines are none. Raises Invalid (file_invalid) for another format or a broken line."""
    suffix = file.suffix.lower()
    if suffix not in FORMATS:
        raise _broken(f"got {file.name}, wanted a name that ends with one of: {', '.join(FORMATS)}")
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            if suffix in _LINES:
                yield from _json_lines(text)
            elif suffix == ".json":
                yield from _json_list(text)
            else:
                yield from _table(text, "\t" if suffix == ".tsv" else None)
    except UnicodeDecodeError as exc:
        raise _broken(f"{file.name} is not UTF-8; save it as CSV UTF-8") from exc
    except OSError as exc:
        raise _broken(f"cannot read {file}: {exc.strerror}") from exc


def _table(text: TextIO, delimiter: str | None) -> Iterator[FileRow]:
    """Rows under a header. delimiter: None = a comma, or the semicolon of a header that has no comma."""
    first = text.readline()
    text.seek(0)
    if delimiter is None:
        delimiter = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header: list[str] = []
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as exc:
            raise _broken(f"line {begins}: {exc}") from exc
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = _header(cells, begins)
            continue
        if len(cells) > len(header):
            raise _broken(f"line {begins}: got {len(cells)} cells, wanted at most the {len(header)} of the header")
        yield FileRow(begins, dict(zip(header, cells, strict=False)))
    if not header:
        raise _broken("the file is empty; its first line names the columns")


def _header(cells: list[str], line: int) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None or "" in names:
        what = "a column without a name" if twice is None else f"the column {twice!r} twice"
        raise _broken(f"line {line}: got {what}, wanted a name of its own for each column")
    return names


def _json_lines(text: TextIO) -> Iterator[FileRow]:
    for number, line in enumerate(text, 1):
        if line.strip():
            yield FileRow(number, _object(line, number))


def _object(line: str, number: int) -> Mapping[str, Any]:
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise _broken(f"line {number}: not JSON: {exc}") from exc
    if not is_json_object(value):
        raise _broken(f"line {number}: wanted a JSON object")
    return value


def _json_list(text: TextIO) -> Iterator[FileRow]:
    try:
        values: Any = json.load(text)
    except (ValueError, RecursionError) as exc:
        raise _broken(f"not JSON: {exc}") from exc
    if not is_json_list(values):
        raise _broken("wanted a JSON list of objects")
    for number, value in enumerate(values, 1):
        if not is_json_object(value):
            raise _broken(f"entry {number} is no JSON object")
        yield FileRow(number, value)


def _broken(message: str) -> Invalid:
    return Invalid(message, code="file_invalid")
