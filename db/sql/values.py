"""Rows as JSON text, the way D1's clients read them. Knows value types; no statement and no HTTP."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from db.transaction import SqlValue

# Beyond this an integer is no longer exact as a JavaScript number.
_EXACT: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class Numbers:
    """How numbers go in and out. as_d1: through a double, both ways, as D1 does it. big_as_text: integers beyond 2^53
    come out as text."""

    as_d1: bool = False
    big_as_text: bool = False


def objects_text(columns: Sequence[str], rows: Sequence[Sequence[SqlValue]], numbers: Numbers) -> str:
    """A list of objects; of columns with the same name the last one counts."""
    return _text([dict(zip(columns, _plain_row(row, numbers), strict=True)) for row in rows])


def arrays_text(columns: Sequence[str], rows: Sequence[Sequence[SqlValue]], numbers: Numbers) -> str:
    """An object of `columns` and `rows`, nothing left out."""
    return _text({"columns": list(columns), "rows": [_plain_row(row, numbers) for row in rows]})


def _plain_row(row: Sequence[SqlValue], numbers: Numbers) -> list[Any]:
    return [value if type(value) is str or value is None else _plain(value, numbers) for value in row]


def _plain(value: SqlValue, numbers: Numbers) -> Any:
    """The value as JSON has it: a BLOB as its bytes, an infinity as null."""
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if numbers.as_d1 and value.is_integer() and abs(value) < _EXACT else value
    if isinstance(value, int) and abs(value) > _EXACT:
        if numbers.big_as_text:
            return str(value)
        return int(float(value)) if numbers.as_d1 else value
    return value


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
