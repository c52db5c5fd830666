"""Values as SQL literals that any SQLite reads back bit by bit. Knows values; not tables.

Source: sqlite.org/lang_expr.html, literal values; shell.c, which strips a carriage return at the end of a line.
"""

import math
import sqlite3
from typing import Final

Value = int | float | bytes | None
# 2 to this power is an integer of SQLite's.
_STEP: Final = 62


class Literals:
    """Makes literals; `close` it. Numbers with a fraction are tried on a database of its own."""

    def __init__(self) -> None:
        self._trial = sqlite3.connect(":memory:", cached_statements=0)

    def close(self) -> None:
        """No more are made."""
        self._trial.close()

    def of(self, value: Value, kind: str) -> str:
        """The literal. value: as SQLite gave it, text as bytes. kind: what `typeof` says of it."""
        if value is None:
            return "NULL"
        if isinstance(value, float):
            return self._real(value)
        if isinstance(value, int):
            # The smallest one has no literal: its digits alone are too large.
            return "(-9223372036854775807-1)" if value == -(2**63) else str(value)
        return text_literal(value) if kind == "text" else f"X'{value.hex()}'"

    def _real(self, value: float) -> str:
        """The shortest digits where SQLite reads them exactly, which it does not always; else the exact form."""
        if math.isinf(value):
            return "9e999" if value > 0 else "-9e999"
        text = repr(value)
        read = self._trial.execute(f"SELECT {text}").fetchone()[0]
        return text if isinstance(read, float) and read == value else exact_real(value)


def text_literal(value: bytes) -> str:
    """Text, given as the bytes it is stored as, whatever is in them."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"CAST(X'{value.hex()}' AS TEXT)"
    if "\0" in text:
        return f"CAST(X'{value.hex()}' AS TEXT)"
    quoted = "'" + text.replace("'", "''") + "'"
    for character, name, code in (("\n", "n", 10), ("\r", "r", 13)):
        if character in quoted:
            mark = _unused(quoted, name)
            quoted = f"replace({quoted.replace(character, mark)},'{mark}',char({code}))"
    return quoted


def exact_real(value: float) -> str:
    """A finite number as a whole one times or over powers of two: no step rounds."""
    above, below = value.as_integer_ratio()
    if below > 1:
        return f"({above}.0{_powers('/', below.bit_length() - 1)})"
    shift = max(0, abs(above).bit_length() - 53)
    return f"({above >> shift}.0{_powers('*', shift)})"


def identifier(name: str) -> str:
    """The name, quoted."""
    return '"' + name.replace('"', '""') + '"'


def _powers(sign: str, exponent: int) -> str:
    """Multiplied or divided by two to so many: every step is exact."""
    steps = [_STEP] * (exponent // _STEP) + ([exponent % _STEP] if exponent % _STEP else [])
    return "".join(f"{sign}{1 << step}" for step in steps)


def _unused(text: str, name: str) -> str:
    mark, number = f"\\{name}", 0
    while mark in text:
        mark, number = f"\\{name}{number}", number + 1
    return mark
