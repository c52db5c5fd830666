"""Planned statements run within their limits. Knows which failures are the request's; no plan, request or caller."""

import sqlite3
import time

from db.errors import Invalid, TooLarge
from db.rest.conditions import DEADLINE
from db.rest.limits import Limits
from db.transaction import ReadTx, Row, Statement

__all__ = ["ask"]


def ask(tx: ReadTx, statement: Statement, limits: Limits, *, folds: bool = False) -> list[Row]:
    """The rows of the statement.

    folds: whether it adds numbers up. Raises TooLarge 57014 when its regular expressions take too long, Invalid 22003
    for a sum beyond 64 bits.
    """
    timed = DEADLINE in statement.parameters
    if not timed and not folds:
        return tx.query(statement)
    deadline = time.monotonic() + limits.regex_ms / 1000
    parameters = {**statement.parameters, DEADLINE: deadline} if timed else statement.parameters
    try:
        return tx.query(Statement(statement.sql, parameters))
    except sqlite3.OperationalError as exc:
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
