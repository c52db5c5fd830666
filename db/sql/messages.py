"""What SQLite says of a statement, in the words clients of D1 look for. Knows result codes; not statuses or numbers."""

import sqlite3
from typing import Final

from db.errors import Invalid

NO_STATEMENT: Final = "No SQL statements detected."
NO_CODE: Final = "SQL code did not contain a statement."
ONLY_LAST: Final = (
    "When executing multiple SQL statements in a single call, only the last statement can have parameters."
)
NO_TRANSACTION: Final = (
    "To execute several statements as one transaction, send them in one call, separated by semicolons or as a batch: "
    "BEGIN, COMMIT, ROLLBACK and SAVEPOINT are not available."
)
BROKEN_KEY: Final = "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)"
TOO_LONG: Final = "statement too long: SQLITE_TOOBIG"
# Names that CPython 3.11 lacks.
_UNNAMED: Final = {3091: "SQLITE_CONSTRAINT_DATATYPE"}
# Frequent, and SQLite has no place for it.
_PLACELESS: Final = "no such table"
_DENIED: Final = ("not authorized", "authorization denied")
# Texts of CPython's own, without a result code.
_OWN: Final = {
    "query string is too large": TOO_LONG,
    "BLOB longer than INT_MAX bytes": "string or blob too big: SQLITE_TOOBIG",
}


class SqlFailed(Invalid):
    """SQLite refused the statement; the message is D1's, to the byte."""

    code = "sql_failed"


def sql_error(exc: sqlite3.Error, sql: str, connection: sqlite3.Connection | None = None) -> SqlFailed:
    """The error to raise for what SQLite said of the statement.

    connection: the one it was said on, whose schema tells at which byte of the statement it went wrong.
    """
    text = str(exc)
    code = getattr(exc, "sqlite_errorcode", None)
    if code is None:
        return SqlFailed(_OWN.get(text, f"{text}: SQLITE_MISUSE"))
    if text in _DENIED:
        # Refused while a virtual table was at work, SQLite gives another code, or other words.
        return SqlFailed("not authorized: SQLITE_AUTH")
    primary, name = _name(code & 0xFF), _name(code)
    place = ""
    if code == sqlite3.SQLITE_ERROR and not text.startswith(_PLACELESS):
        # Only a failed statement needs the C interface.
        from db.sql.places import error_place

        at = error_place(sql, text, connection)
        place = "" if at is None else f" at offset {at}"
    extended = "" if name == primary else f" (extended: {name})"
    return SqlFailed(f"{text}{place}: {primary}{extended}")


def _name(code: int) -> str:
    """`SQLITE_ERROR` and its like for a result code."""
    if code in _UNNAMED:
        return _UNNAMED[code]
    return next((name for name, value in _CODES if value == code), f"SQLITE_{code}")


_CODES: Final = tuple(
    (name, value)
    for name, value in vars(sqlite3).items()
    if name.startswith(
        (
            "SQLITE_ABORT", "SQLITE_AUTH", "SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_CONSTRAINT", "SQLITE_CORRUPT",
            "SQLITE_ERROR", "SQLITE_FULL", "SQLITE_INTERNAL", "SQLITE_INTERRUPT", "SQLITE_IOERR", "SQLITE_LOCKED",
            "SQLITE_MISMATCH", "SQLITE_MISUSE", "SQLITE_NOMEM", "SQLITE_NOTFOUND", "SQLITE_PERM", "SQLITE_PROTOCOL",
            "SQLITE_RANGE", "SQLITE_READONLY", "SQLITE_SCHEMA", "SQLITE_TOOBIG",
        )
    )
)  # fmt: skip
