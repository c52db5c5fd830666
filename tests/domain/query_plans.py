"""What SQLite means to do for a statement, read for full scans of large tables. Knows plans; no charter."""

import re
import sqlite3
from collections.abc import Iterable, Mapping

from db.transaction import ReadTx, SqlValue

_ALIAS = re.compile(r"\b(?:FROM|JOIN)\s+(?:main\.)?\"?(\w+)\"?(?:\s+(?:AS\s+)?\"?(\w+)\"?)?", re.IGNORECASE)
# A full-text index that is asked for words.
_MATCHED = re.compile(r"VIRTUAL TABLE INDEX \d+:\w*M")
_COMMA = re.compile(r",\s*(?:main\.)?\"?(\w+)\"?\s+AS\s+\"?(\w+)\"?", re.IGNORECASE)


class Watching(ReadTx):
    """A transaction that remembers what it ran."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.ran: list[tuple[str, dict[str, SqlValue]]] = []

    def _run(self, sql: str, values: Mapping[str, SqlValue]) -> sqlite3.Cursor:
        self.ran.append((sql, dict(values)))
        return super()._run(sql, values)


def large_tables(connection: sqlite3.Connection, few: int) -> dict[str, int]:
    """The tables of more than a few rows, with their sizes."""
    found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB '[a-z]*'").fetchall()
    names = [row[0] for row in found if not row[0].startswith("sqlite_")]
    counts = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
    return {name: count for name, count in counts.items() if count > few}


def _partial_indexes(connection: sqlite3.Connection) -> set[str]:
    """Indexes of a part of their table: who scans one reads that part."""
    found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '% WHERE %'")
    return {row[0] for row in found.fetchall()}


def full_scans(
    connection: sqlite3.Connection, sql: str, values: Mapping[str, SqlValue], few: int, *, walks: bool = False
) -> list[str]:
    """The steps that read a whole table of more than a few rows, with or without an index.

    walks: the first row source may be an index that is walked in the order wanted, up to a limit.
    """
    large, partial = large_tables(connection, few), _partial_indexes(connection)
    named = {table: table for table in large}
    for pattern in (_ALIAS, _COMMA):
        named |= {match[2] or match[1]: match[1] for match in pattern.finditer(sql)}
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    first = next((step for step in steps if step.startswith(("SCAN ", "SEARCH "))), "")
    if walks and "LIMIT" in sql and " USING INDEX " in first and "USE TEMP B-TREE FOR ORDER BY" not in steps:
        steps.remove(first)
    scans = [step.split() for step in steps if step.startswith("SCAN ") and not _MATCHED.search(step)]
    return [
        " ".join(words)
        for words in scans
        if named.get(words[1].removeprefix("main.")) in large and not partial & set(words)
    ]


def scans_of(
    connection: sqlite3.Connection, ran: Iterable[tuple[str, Mapping[str, SqlValue]]], few: int, *, walks: bool = False
) -> list[tuple[str, list[str]]]:
    """The statements that read a whole large table, with the steps that do."""
    return [(sql, scans) for sql, values in ran if (scans := full_scans(connection, sql, values, few, walks=walks))]
