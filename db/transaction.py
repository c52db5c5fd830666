"""What a verb may do with its transaction: named parameters in, rows out. Knows one connection; not commits."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, LiteralString

from db.vault.guard import Guard

SqlValue = str | int | float | bytes | None
Row = sqlite3.Row


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text with its named parameters, as the planner hands it on. The text holds declared identifiers only."""

    sql: str
    parameters: Mapping[str, SqlValue] = field(default_factory=dict[str, SqlValue])


@dataclass(frozen=True, slots=True)
class Actor:
    """Who a write is done for; kept in the audit log.

    id: principal id, token id or job name. kind: person, token, operator, job or guest. verb: the operation's name.
    """

    id: str
    kind: str
    request_id: str
    verb: str


class ReadTx:
    """A consistent snapshot of one vault. SQL is a literal; values are bound by name (`:title`)."""

    def __init__(self, connection: sqlite3.Connection, guard: Guard | None = None) -> None:
        connection.row_factory = sqlite3.Row
        self._connection = connection
        self._guard = guard

    @property
    def raw(self) -> tuple[sqlite3.Connection, Guard]:
        """The connection and its guard, for running SQL that somebody sent under rules of its own."""
        if self._guard is None:
            raise AssertionError("raw SQL runs on a connection of a vault")
        return self._connection, self._guard

    def _run(self, sql: str, values: Mapping[str, SqlValue]) -> sqlite3.Cursor:
        return self._connection.execute(sql, values)

    def rows(self, sql: LiteralString, /, **values: SqlValue) -> list[Row]:
        """Every row of the query, in its order."""
        return self._run(sql, values).fetchall()

    def each(self, sql: LiteralString, /, **values: SqlValue) -> Iterator[Row]:
        """The rows of the query one by one, for more of them than memory should hold."""
        return self._run(sql, values)

    def row(self, sql: LiteralString, /, **values: SqlValue) -> Row | None:
        """The first row, or None."""
        row: Row | None = self._run(sql, values).fetchone()
        return row

    def value(self, sql: LiteralString, /, **values: SqlValue) -> Any:
        """The first column of the first row, or None without a row."""
        row = self._run(sql, values).fetchone()
        return None if row is None else row[0]

    def query(self, statement: Statement) -> list[Row]:
        """Every row of a planned statement."""
        return self._run(statement.sql, statement.parameters).fetchall()

    def some(self, statement: Statement, most: int) -> tuple[list[str], list[tuple[SqlValue, ...]]]:
        """The names of the columns and at most so many rows; what comes after them is never computed."""
        cursor = self._run(statement.sql, statement.parameters)
        try:
            rows = [tuple(row) for row in cursor.fetchmany(most)]
            return [name for name, *_ in cursor.description or ()], rows
        finally:
            cursor.close()


class WriteTx(ReadTx):
    """One write transaction. It is durable once the vault's `write` returns, never before.

    A lost race runs the work again from the start: keep no state outside the transaction.
    watch: called when a statement was refused because changes of its table are not audited yet; True: try again.
    """

    def __init__(
        self, connection: sqlite3.Connection, watch: Callable[[], bool] | None = None, guard: Guard | None = None
    ) -> None:
        super().__init__(connection, guard)
        self._watch = watch
        # Who the work found out it is done for, inside the vault; replaces the Actor's id in the audit log.
        self.acting_as = ""
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def note(self, subject: str, values: dict[str, Any]) -> None:
        """Leave a row in the audit log about something that changed no row, such as a look at the data."""
        self.notes.append((subject, values))

    def _run(self, sql: str, values: Mapping[str, SqlValue]) -> sqlite3.Cursor:
        while True:
            try:
                return self._connection.execute(sql, values)
            except sqlite3.DatabaseError as exc:
                refused = getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_AUTH
                if not refused or self._watch is None or not self._watch():
                    raise

    def execute(self, sql: LiteralString, /, **values: SqlValue) -> int:
        """Run one statement; the number of rows it changed (cascades and triggers not counted)."""
        return self._run(sql, values).rowcount

    def insert(self, table: LiteralString, /, **values: SqlValue) -> None:
        """Insert one row; column names are the keyword names."""
        columns = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join(f":{name}" for name in values)
        self._run(f'INSERT INTO main."{table}" ({columns}) VALUES ({marks})', values)

    def run(self, statement: Statement) -> int:
        """Run a planned statement; the number of rows it changed."""
        return self._run(statement.sql, statement.parameters).rowcount
