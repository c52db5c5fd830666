"""Queries that end by a deadline. Knows SQLite's progress handler; not whose time it is."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager

from db.errors import Unavailable

# Virtual machine steps between two looks at the clock: some hundred microseconds.
_STEPS = 20_000


class OutOfTime(Unavailable):
    """The deadline came before the answer; nothing was changed."""

    code = "out_of_time"


@contextmanager
def bounded(connection: sqlite3.Connection, is_over: Callable[[], bool]) -> Generator[None]:
    """Statements inside the block stop once `is_over` says so. Raises OutOfTime then."""
    connection.set_progress_handler(lambda: int(is_over()), _STEPS)
    try:
        yield
    except sqlite3.OperationalError as exc:
        if getattr(exc, "sqlite_errorcode", 0) != sqlite3.SQLITE_INTERRUPT:
            raise
        raise OutOfTime("the time for this run ended before the query did", retry_after_s=60) from exc
    finally:
        connection.set_progress_handler(None, 0)
