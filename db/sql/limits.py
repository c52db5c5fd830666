"""What bounds a call of raw SQL on a connection, and what is put back after it. Knows one connection.

Connections serve one caller after another: whatever a call sets is undone when it ends, however it ends.
"""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from db.sql.parameters import MOST_PARAMETERS
from db.vault.guard import Guard, engine_only

# Virtual machine steps between two looks at the clock: some ten microseconds.
STEPS: Final = 1_000
_RESET: Final = tuple(
    engine_only(f"PRAGMA {name}")
    for name in (
        "case_sensitive_like = OFF",
        "defer_foreign_keys = OFF",
        "ignore_check_constraints = OFF",
        "legacy_alter_table = OFF",
        "recursive_triggers = ON",
        "reverse_unordered_selects = OFF",
    )
)


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """Bytes of one statement, of one value or row; and, as SQLite counts them, the rest."""

    statement_bytes: int = 1_000_000
    value_bytes: int = 10_000_000
    parameters: int = MOST_PARAMETERS
    compound_terms: int = 500
    pattern_bytes: int = 50_000
    expression_depth: int = 1_000

    def by_category(self) -> dict[int, int]:
        """SQLite's number of each limit, and the limit."""
        return {
            # The mark at the end of each statement is ours.
            sqlite3.SQLITE_LIMIT_SQL_LENGTH: self.statement_bytes + 100,
            sqlite3.SQLITE_LIMIT_LENGTH: self.value_bytes,
            sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: self.parameters,
            sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: self.compound_terms,
            sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: self.pattern_bytes,
            sqlite3.SQLITE_LIMIT_EXPR_DEPTH: self.expression_depth,
            sqlite3.SQLITE_LIMIT_ATTACHED: 0,
        }


SQL_LIMITS: Final = SqlLimits()


class Steps:
    """Counts the steps of SQLite's virtual machine, in thousands. is_over: asked at each thousand.

    held: while set, nothing is stopped: the engine's own statements between those of a call are short.
    """

    def __init__(self, is_over: Callable[[], bool]) -> None:
        self.thousands = 0
        self.held = False
        self.is_over = is_over

    def __call__(self) -> int:
        """As SQLite's progress handler: 1 stops the statement."""
        self.thousands += 1
        return int(not self.held and self.is_over())


@contextmanager
def limited(connection: sqlite3.Connection, limits: SqlLimits, is_over: Callable[[], bool]) -> Generator[Steps]:
    """Statements in the block run within the limits; afterwards the connection is as it was."""
    steps = Steps(is_over)
    text_factory = connection.text_factory
    before = {category: connection.setlimit(category, most) for category, most in limits.by_category().items()}
    connection.set_progress_handler(steps, STEPS)
    # Text may hold bytes that are no UTF-8: SQLite does not look.
    connection.text_factory = _text
    try:
        yield steps
    finally:
        connection.set_progress_handler(None, 0)
        connection.text_factory = text_factory
        for category, most in before.items():
            connection.setlimit(category, most)


def reset_pragmas(connection: sqlite3.Connection, guard: Guard) -> None:
    """Put back every PRAGMA that the rules let a caller set."""
    was, guard.open = guard.open, True
    try:
        for pragma in _RESET:
            connection.execute(pragma)
    finally:
        guard.open = was


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
