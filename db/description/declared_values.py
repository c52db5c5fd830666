"""Which values a column can have, as far as its CHECK says so alone. Knows the text of CREATE TABLE; runs nothing."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from db.transaction import ReadTx

__all__ = ["NO_LIMITS", "DeclaredValues", "declared_values", "read_declared_values"]

_TABLES = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql IS NOT NULL"
_QUOTED = r"'(?:[^']|'')*'"
_LITERAL = rf"(?:{_QUOTED}|-?\d+)"
_LITERALS = rf"{_LITERAL}(?:\s*,\s*{_LITERAL})*"
_QUOTED_OR_COMMENT = re.compile(rf"({_QUOTED}|\"(?:[^\"]|\"\")*\")|--[^\n]*|/\*.*?\*/", re.DOTALL)
# A CHECK inside a text is none: texts are consumed first.
_CHECK = re.compile(
    rf"{_QUOTED}|CHECK\s*\(\s*\"?(?P<name>\w+)\"?\s+"
    rf"(?:IN\s*\(\s*(?P<choices>{_LITERALS})\s*\)|GLOB\s+(?P<glob>{_QUOTED}))\s*\)",
    re.IGNORECASE,
)
_FORMS = {"????-??-??T??:??:??.???Z": "date-time", "????-??-??": "date"}


class DeclaredValues(NamedTuple):
    """choices: the only values besides null, () for any. form: date-time, date or ''."""

    choices: tuple[str | int, ...] = ()
    form: str = ""


NO_LIMITS = DeclaredValues()


def read_declared_values(tx: ReadTx) -> dict[str, Mapping[str, DeclaredValues]]:
    """What is known of the columns of each table, by the names of both."""
    return {row["name"]: declared_values(row["sql"]) for row in tx.rows(_TABLES)}


def declared_values(sql: str) -> dict[str, DeclaredValues]:
    """What is known of the columns of one CREATE TABLE.

    Only a CHECK that is nothing but one comparison counts: any other may allow more than it names.
    """
    bare = _QUOTED_OR_COMMENT.sub(lambda match: match[1] or " ", sql)
    return {
        check["name"]: DeclaredValues(choices=_literals(check["choices"]))
        if check["choices"]
        else DeclaredValues(form=_FORMS.get(check["glob"][1:-1], ""))
        for check in _CHECK.finditer(bare)
        if check["name"]
    }


def _literals(listed: str) -> tuple[str | int, ...]:
    """The values of a list of SQL literals, in order."""
    return tuple(
        text[1:-1].replace("''", "'") if text.startswith("'") else int(text) for text in re.findall(_LITERAL, listed)
    )
