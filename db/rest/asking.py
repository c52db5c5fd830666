"""Planned statements run within their limits. Knows which failures are the request's; no plan, request or caller."""

import sqlite3
import time

from db.errors import Invalid, TooLarge
from db.rest.conditions import DEADLINE
from db.rest.limits import Limits
from db.transaction import ReadTx, Row, Statement

__all__ = ["ask"]

_TOO_DEEP = ("parser stack overflow", "Expression tree is too large")


def ask(tx: ReadTx, statement: Statement, limits: Limits, *, folds: bool = False) -> list[Row]:
    """The rows of the statement.

    folds: whether it adds numbers up. Raises TooLarge 57014 when its regular expressions take too long, TooLarge when
    it nests deeper than SQLite reads, Invalid 22003 for a sum beyond 64 bits.
    """
    timed = DEADLINE in statement.parameters
    deadline = time.monotonic() + limits.regex_ms / 1000
    if timed:
        statement = Statement(statement.sql, {**statement.parameters, DEADLINE: deadline})
    try:
        return tx.query(statement)
    except sqlite3.OperationalError as exc:
        # By its text: SQLite has no code of its own for what it cannot read in one go.
        if str(exc).startswith(_TOO_DEEP):
            raise TooLarge(
                "embeds, and(...) and or(...) stand too deep inside each other; SQLite reads a hundred levels of SQL",
                hint="Ask for the inner rows in a request of their own, or put the conditions side by side.",
            ) from exc
        if timed and time.monotonic() > deadline:
            raise TooLarge(
                f"the regular expressions took longer than {limits.regex_ms} ms, the limit",
                code="57014",
                hint="Match a prefix with like, or filter by another column as well.",
            ) from exc
        # The one error a planned statement can make while it runs is a sum that leaves SQLite's integers.
        if folds and getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR:
            raise Invalid(
                "a sum is out of range for type integer (64 bits)",
                code="22003",
                hint="Cast the value first, such as pages::float8.sum().",
            ) from exc
        raise
