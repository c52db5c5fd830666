"""One SQL statement somebody typed: run it, say what it gave, refuse in our own terms. Knows no caller and no door."""

import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.errors import Forbidden, Invalid, VaultError
from db.schema.constraints import translate
from db.sql.messages import SqlFailed
from db.sql.session import sql_session
from db.sql.splitting import split_statements
from db.transaction import ReadTx, SqlValue, Statement, WriteTx

# SQLite's authoriser is not asked about a statement that was compiled before: under this mark the text is nobody
# else's, and not the engine's either.
_APART = f" /* {secrets.token_hex(8)} */"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a statement gave. rows: each as column name to value. changed: rows it changed, those of triggers aside."""

    rows: Sequence[Mapping[str, Any]]
    changed: int = 0


def run_reading(tx: ReadTx, sql: str) -> Ran:
    """The rows of one statement. Raises Invalid (sql_invalid), Forbidden (sql_forbidden) for one that would write."""
    return Ran(_rows(tx, sql))


@dataclass(frozen=True, slots=True)
class RanPartly:
    """The first rows of a statement. columns: their names, which may repeat. more: there are further rows."""

    columns: Sequence[str]
    rows: Sequence[tuple[SqlValue, ...]]
    more: bool


def run_partly(tx: ReadTx, sql: str, most: int) -> RanPartly:
    """At most so many rows of one statement; what was compiled for others under other rules is not used for it.

    Raises as `run_reading`; a statement that was interrupted raises sqlite3.OperationalError.
    """
    try:
        columns, rows = tx.some(Statement(one_statement(sql) + _APART), most + 1)
    except sqlite3.Error as exc:
        if getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            raise
        raise _refusal(exc) from exc
    return RanPartly(columns, rows[:most], len(rows) > most)


def run_writing(tx: WriteTx, sql: str, protected: Callable[[], frozenset[str]]) -> Ran:
    """The rows of one statement, those of RETURNING included, and how many it changed.

    protected: names of objects whose shape is not the caller's to change. Raises Invalid (sql_invalid), Forbidden
    (sql_forbidden) for what the rules refuse, and a failed constraint's error.
    """
    statement = one_statement(sql)
    connection, guard = tx.raw
    try:
        with sql_session(
            connection, guard, writes=True, protected=protected, is_over=lambda: False, note=tx.note
        ) as session:
            ran = session.run(statement)
    except SqlFailed as exc:
        raise _refusal(exc.__cause__) if isinstance(exc.__cause__, sqlite3.Error) else exc from exc
    return Ran([dict(zip(ran.columns, row, strict=True)) for row in ran.rows], ran.changed)


def one_statement(sql: str) -> str:
    """The only statement of the text. Raises Invalid (sql_invalid)."""
    statements = split_statements(sql)
    if len(statements) != 1:
        raise Invalid(f"got {len(statements)} SQL statements, wanted one", code="sql_invalid")
    return statements[0]


def _rows(tx: ReadTx, sql: str) -> list[dict[str, Any]]:
    try:
        return [dict(row) for row in tx.query(Statement(one_statement(sql)))]
    except sqlite3.Error as exc:
        raise _refusal(exc) from exc


def _refusal(exc: sqlite3.Error) -> VaultError:
    """The error in our terms, by SQLite's result code; what SQLite says of the statement is its author's to read."""
    code = getattr(exc, "sqlite_errorcode", 0)
    if code & 0xFF == sqlite3.SQLITE_READONLY:
        return Forbidden("the statement writes, and this is for reading only", code="sql_forbidden")
    if code == sqlite3.SQLITE_AUTH:
        return Forbidden("this kind of statement is not allowed in a vault", code="sql_forbidden")
    if isinstance(exc, sqlite3.IntegrityError | sqlite3.OperationalError):
        try:
            return translate(exc)
        except sqlite3.Error:
            pass
    return Invalid(f"SQLite says: {exc}", code="sql_invalid")
