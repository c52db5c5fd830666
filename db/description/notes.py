"""What migrations say of tables and columns, in comments. SQLite keeps no comment that stands before a statement."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from db.schema.migrate import MigrationSet

__all__ = ["Notes", "read_notes"]

_TABLE = re.compile(
    r"^((?:--[^\n]*\n)*)CREATE TABLE (?:IF NOT EXISTS )?\"?(\w+)\"? \(\n(.*?)^\)", re.MULTILINE | re.DOTALL
)
_COLUMN = re.compile(r"^    \"?(\w+)\"? [^\n']*?(?:'[^'\n]*'[^\n']*?)*-- ([^\n]+)$", re.MULTILINE)


class Notes(NamedTuple):
    """Sentences about tables, and about columns by (table, column)."""

    tables: Mapping[str, str]
    columns: Mapping[tuple[str, str], str]


def read_notes(sets: Iterable[MigrationSet]) -> Notes:
    """The comments right before each CREATE TABLE, and those at the end of a column's line."""
    tables: dict[str, str] = {}
    columns: dict[tuple[str, str], str] = {}
    for step in (step for migration_set in sets for step in migration_set.steps):
        for comment, table, body in _TABLE.findall(step.sql):
            lines = (line.removeprefix("--").strip() for line in comment.splitlines())
            tables[table] = " ".join(filter(None, lines))
            columns |= {(table, column): note.strip() for column, note in _COLUMN.findall(body)}
    return Notes({table: note for table, note in tables.items() if note}, columns)
