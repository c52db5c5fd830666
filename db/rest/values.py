"""Filter values to SQLite values of the column's type, patterns to GLOB. Knows affinities; not columns by name."""

import re

from db.errors import Invalid
from db.transaction import SqlValue

__all__ = ["glob_pattern", "typed_value"]

_INTEGER = re.compile(r"\s*([+-]?\d{1,30})\s*", re.ASCII)
_NUMBER = re.compile(r"\s*([+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,4})?)\s*", re.ASCII)
_BYTES = re.compile(r"\\x((?:[0-9a-fA-F]{2})*)")
_TRUTH = {"true": 1, "false": 0}
_LARGEST = 2**63 - 1


def typed_value(text: str, affinity: str) -> SqlValue:
    r"""The value to compare a column of this affinity with.

    INTEGER also takes true and false; BLOB takes `\x` and hex digits. Raises Invalid 22P02, 22003.
    """
    match affinity:
        case "INTEGER":
            return _integer(text)
        case "REAL":
            return _real(text)
        case "NUMERIC":
            return _integer(text) if _INTEGER.fullmatch(text) or text in _TRUTH else _real(text)
        case "BLOB":
            return _bytes(text)
        case _:
            return text


def glob_pattern(pattern: str) -> str:
    """A LIKE pattern as a GLOB pattern: % and * match any text, _ one character, a backslash takes the next as it is.

    GLOB is case-sensitive, which SQLite's LIKE is not.
    """
    pieces: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            pieces.append(_glob_literal(next(characters, "\\")))
        elif character in "%*":
            pieces.append("*")
        elif character == "_":
            pieces.append("?")
        else:
            pieces.append(_glob_literal(character))
    return "".join(pieces)


def _glob_literal(character: str) -> str:
    """The character without GLOB's special meaning."""
    return f"[{character}]" if character in "*?[" else character


def _integer(text: str) -> int:
    """A whole number of 64 bits."""
    if text in _TRUTH:
        return _TRUTH[text]
    match = _INTEGER.fullmatch(text)
    if match is None:
        raise _bad("integer", text)
    value = int(match[1])
    if not -_LARGEST - 1 <= value <= _LARGEST:
        raise Invalid(f'value "{text[:40]}" is out of range for type integer (64 bits)', code="22003")
    return value


def _real(text: str) -> float:
    """A finite number."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise _bad("double precision", text)
    value = float(match[1])
    if value in (float("inf"), float("-inf")):
        raise Invalid(f'value "{text[:40]}" is out of range for type double precision', code="22003")
    return value


def _bytes(text: str) -> bytes:
    """Bytes from their hex form."""
    match = _BYTES.fullmatch(text)
    if match is None:
        raise _bad("bytea", text)
    return bytes.fromhex(match[1])


def _bad(kind: str, text: str) -> Invalid:
    """Postgres's words for text that is not of a type."""
    return Invalid(f'invalid input syntax for type {kind}: "{text[:80]}"', code="22P02")
