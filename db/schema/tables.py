"""What single tables say: how many rows, damage, references that lead nowhere. One table for each call.

Whoever reads a vault holds up those who must move its readers forward, so nobody reads all tables at a stretch.
Knows SQLite; no table by name, no tenant.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from db.bounded import bounded
from db.vault.vault import FIRST_UNCONSTRAINED, Vault

# Checked like a table: it stands for the schema itself and the list of free pages.
SCHEMA_TABLE = "sqlite_schema"
_NAMED = 5
_SOUND = "ok"
# Shadow tables of full-text indexes are checked as the tables they are.
_TABLES = """
SELECT name FROM pragma_table_list
 WHERE schema = 'main' AND type IN ('table', 'shadow') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name
"""
_ANALYSED = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'"
# The first number of `stat` is the rows of the table.
_KNOWN = "SELECT tbl, max(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl"
# Below, any plan is quick.
WORTH_ANALYSING = 500
_FACTOR = 4
_SAMPLED_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with one table. lines: of SQLite, the first few. dangling: rows that refer to rows not there."""

    table: str
    lines: tuple[str, ...]
    dangling: int


def table_names(vault: Vault) -> list[str]:
    """The tables of the vault, by name, those of SQLite itself left out."""
    return vault.read_raw(lambda connection, _: [row[0] for row in connection.execute(_TABLES)]).value


def count_rows(vault: Vault, table: str, is_over: Callable[[], bool]) -> int:
    """How many rows the table has. Raises OutOfTime."""

    def count(connection: sqlite3.Connection) -> int:
        with bounded(connection, is_over):
            rows: int = connection.execute(f"SELECT count(*) FROM main.{_quote(table)}").fetchone()[0]
            return rows

    return vault.read_raw(lambda connection, _: count(connection), FIRST_UNCONSTRAINED).value


def find_damage(vault: Vault, table: str, is_over: Callable[[], bool]) -> Damage | None:
    """What SQLite finds wrong with the table, its indexes and references; None when it is sound. Raises OutOfTime."""
    name = _quote(table)

    def check(connection: sqlite3.Connection) -> Damage | None:
        with bounded(connection, is_over):
            lines = [str(row[0]) for row in connection.execute(f"PRAGMA main.quick_check({name})")]
            dangling = 0
            if table != SCHEMA_TABLE:
                dangling = sum(1 for _ in connection.execute(f"PRAGMA main.foreign_key_check({name})"))
        wrong = tuple(line for line in lines if line != _SOUND)
        return Damage(table, wrong[:_NAMED], dangling) if wrong or dangling else None

    return vault.read_raw(lambda connection, _: check(connection), FIRST_UNCONSTRAINED).value


def needs_analysis(vault: Vault, rows: dict[str, int]) -> bool:
    """Whether the planner's figures are missing or off by a factor of four for a table of 500 rows or more.

    rows: by table, as counted now.
    """

    def known(connection: sqlite3.Connection) -> dict[str, int]:
        if connection.execute(_ANALYSED).fetchone() is None:
            return {}
        return {row[0]: row[1] or 0 for row in connection.execute(_KNOWN)}

    figures = vault.read_raw(lambda connection, _: known(connection), FIRST_UNCONSTRAINED).value
    return any(_is_off(count, figures.get(table, 0)) for table, count in rows.items())


def analyse(vault: Vault) -> None:
    """Let SQLite sample its indexes, in an ordinary commit; plans follow the figures from then on."""

    def work(connection: sqlite3.Connection) -> bool:
        connection.execute(f"PRAGMA analysis_limit = {_SAMPLED_ROWS}")
        connection.execute("ANALYZE main")
        return True

    vault.alter(work)


def _is_off(count: int, figure: int) -> bool:
    large = max(count, figure) >= WORTH_ANALYSING
    return large and (count > _FACTOR * figure or figure > _FACTOR * count)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
