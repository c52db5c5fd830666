"""The rule for a value of a column that nothing but SQLite declares. Knows affinities; no table."""

import math
import re
from dataclasses import dataclass
from typing import Any, Final

from db.errors import Invalid

_INT64: Final = range(-(1 << 63), 1 << 63)
_HEX = re.compile(r"(?:\\x)?((?:[0-9a-fA-F]{2})*)")
_WANTED: Final = {
    "TEXT": "text",
    "INTEGER": "a whole number of 64 bits, or true or false",
    "REAL": "a number",
    "NUMERIC": "a number, text, or true or false",
    "BLOB": "hex digits, two for a byte",
}


@dataclass(frozen=True, slots=True)
class ColumnValue:
    """A value for a column of this affinity, as REST gives and takes it; empty text is a value."""

    affinity: str
    required: bool = False

    def parse(self, value: Any, name: str) -> str | int | float | bytes:
        """The value to keep. Raises Invalid naming the field."""
        kept = self._kept(value)
        if kept is None:
            wanted = _WANTED.get(self.affinity, "text or a number")
            raise Invalid(f"{name}: got {type(value).__name__}, wanted {wanted}", code="22P02", field=name)
        return kept

    def _kept(self, value: Any) -> str | int | float | bytes | None:
        if isinstance(value, str):
            return self._from_text(value)
        if isinstance(value, bool):
            return int(value) if self.affinity in ("INTEGER", "NUMERIC") else None
        if isinstance(value, int) and self.affinity in ("INTEGER", "NUMERIC", "ANY"):
            return value if value in _INT64 else None
        if isinstance(value, int | float) and self.affinity in ("REAL", "NUMERIC", "ANY"):
            number = _as_float(value)
            return number if math.isfinite(number) else None
        return None

    def _from_text(self, text: str) -> str | bytes | None:
        if self.affinity == "BLOB":
            digits = _HEX.fullmatch(text)
            return bytes.fromhex(digits[1]) if digits else None
        plain = "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
        return text if plain and self.affinity in ("TEXT", "NUMERIC", "ANY") else None


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A list or an object, kept as JSON text."""

    required: bool = False

    def parse(self, value: Any, name: str) -> Any:
        """The value as it is. Raises Invalid naming the field."""
        if not isinstance(value, list | dict):
            raise Invalid(f"{name}: wanted a list or an object", code="22P02", field=name)
        return value  # pyright: ignore[reportUnknownVariableType] - whatever JSON holds


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
