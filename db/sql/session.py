"""One call of raw SQL on one connection: statements one after another under rules, limits and the audit log.

Knows a connection and its guard; not whose vault it is, nor how the statements came.
"""

import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from db.bounded import OutOfTime
from db.errors import Forbidden, TooLarge
from db.sql.limits import SQL_LIMITS, SqlLimits, Steps, limited, reset_pragmas
from db.sql.messages import BROKEN_KEY, NO_TRANSACTION, TOO_LONG, SqlFailed, sql_error
from db.sql.own_names import drop_names, make_names, names_own, with_own_names
from db.sql.parameters import Bound, bind
from db.sql.rules import SqlRules
from db.sql.writes import SchemaFacts, Written
from db.transaction import SqlValue
from db.vault.guard import OPENS, Guard, engine_only

_APART: Final = secrets.token_hex(8)
_NUMBERS: Final = count(1)
_SIZE = engine_only("SELECT c.page_count * s.page_size FROM pragma_page_count AS c, pragma_page_size AS s")
_BROKEN_KEYS = engine_only("SELECT 1 FROM pragma_foreign_key_check LIMIT 1")
_EXPLAIN: Final = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*+explain\b", re.IGNORECASE | re.DOTALL)
_AT_SEMICOLON: Final = 'near ";": syntax error'
NOTED_CHARACTERS: Final = 10_000
# A row that is looked at costs about ten steps of SQLite's virtual machine.
ROWS_PER_THOUSAND_STEPS: Final = 100


class WouldWrite(Exception):
    """The statement changes something, and this connection only reads: it belongs on the writer."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What one statement gave.

    rows: as SQLite gave them. changed: rows the statement changed itself. written: those and the entries of their
    indexes. read: rows it gave or changed, or more by the steps it took. last_row_id: 0 until the call inserts a row.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[SqlValue, ...]]
    duration_ms: float
    changed: int
    changed_db: bool
    written: int
    read: int
    last_row_id: int
    size_after: int


class SqlSession:
    """Statements of one call. Use it inside `sql_session`.

    note: told the name and values of a row for the audit log, about a change that is none of rows. steps: thousands of
    steps SQLite's virtual machine took so far.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        guard: Guard,
        rules: SqlRules,
        note: Callable[[str, dict[str, Any]], None],
        steps: Steps,
        statement_bytes: int,
    ) -> None:
        self._connection = connection
        self._guard = guard
        self._rules = rules
        self._note = note
        self._steps = steps
        self._statement_bytes = statement_bytes
        self._facts = SchemaFacts(connection)
        self._last_row_id = 0
        self._defers_keys = False
        self.sets_pragmas = False
        self._has_names = False

    def run(self, sql: str, values: Sequence[SqlValue] = (), most_bytes: int | None = None) -> Ran:
        """Run one statement to its end.

        most_bytes: of the rows it gives. Raises SqlFailed, OutOfTime, TooLarge (answer_too_large), WouldWrite on a
        connection that only reads.
        """
        if len(sql) * 4 > self._statement_bytes < len(sql.encode("utf-8", "replace")):
            raise SqlFailed(TOO_LONG)
        if self._steps.is_over():
            raise _out_of_time()  # many short statements are many short times
        self.sets_pragmas |= "pragma" in sql.lower()
        text, bound = bind(sql, values)
        if names_own(text):
            text = self._named(text)
        steps = self._steps.thousands
        if self._rules.writes:
            with self._engine():
                self._facts.look(self._rules)
        started = time.perf_counter()
        columns, rows, changes = self._execute(sql, text, bound, most_bytes)
        duration_ms = (time.perf_counter() - started) * 1000
        with self._engine():
            written = self._settle(sql, changes) if self._rules.writes else Written()
            size = self._facts.value(_SIZE)
        return Ran(
            columns=columns,
            rows=rows,
            duration_ms=duration_ms,
            changed=written.changed,
            changed_db=written.schema or bool(changes),
            written=written.entries,
            read=max(len(rows), written.changed, (self._steps.thousands - steps) * ROWS_PER_THOUSAND_STEPS),
            last_row_id=self._last_row_id,
            size_after=size,
        )

    def check(self) -> None:
        """At the end of a call: keys it put off must hold now, for those who share the transaction put off none."""
        with self._engine():
            if self._defers_keys and self._facts.value(_BROKEN_KEYS) is not None:
                raise SqlFailed(BROKEN_KEY)

    def close(self) -> None:
        """Leave nothing on the connection."""
        if self._has_names:
            # What a statement of the call raised is worth more than what this raises after it.
            with self._engine(), suppress(sqlite3.Error):
                drop_names(self._connection)

    def _named(self, text: str) -> str:
        """The query with our view in place of `sqlite_master`."""
        if not self._has_names:
            with self._engine():
                make_names(self._connection)
            self._has_names = True
        return with_own_names(text)

    def _execute(
        self, sql: str, text: str, bound: Bound, most_bytes: int | None
    ) -> tuple[list[str], list[tuple[SqlValue, ...]], int]:
        """The columns, the rows, and how many rows changed, by triggers too."""
        self._rules.explains = False
        while True:
            self._rules.begin()
            cursor = self._connection.cursor()
            cursor.row_factory = None
            total = self._connection.total_changes
            self._guard.rules = self._rules
            try:
                cursor.execute(_marked(text, self._rules, self._guard), bound)
                rows = _rows(cursor, most_bytes)
                self._defers_keys |= self._rules.defers_keys
                return [name for name, *_ in cursor.description or ()], rows, self._connection.total_changes - total
            except MemoryError as exc:
                raise TooLarge(
                    "the call needs more memory than SQL may take here (VAULTRY_SQL_MEMORY_BYTES); ask for less in "
                    "one call",
                    code="out_of_memory",
                ) from exc
            except sqlite3.Error as exc:
                if self._rules.wants_write and not self._rules.explains and _EXPLAIN.match(text):
                    self._rules.explains = True
                    continue
                with self._engine():
                    if self._guard.audit is None or not self._guard.audit.watch():
                        raise self._refusal(exc, sql) from exc
            finally:
                self._guard.rules = None
                cursor.close()

    def _refusal(self, exc: sqlite3.Error, sql: str) -> Exception:
        code = getattr(exc, "sqlite_errorcode", 0)
        if code == sqlite3.SQLITE_AUTH and self._rules.wants_write:
            return WouldWrite()
        if code == sqlite3.SQLITE_AUTH and self._rules.is_transaction:
            return SqlFailed(NO_TRANSACTION)
        if code == sqlite3.SQLITE_AUTH and self._rules.inner:
            return SqlFailed(f"table {self._rules.inner}: SQLITE_ERROR")
        if code == sqlite3.SQLITE_INTERRUPT:
            return _out_of_time()
        if str(exc) == _AT_SEMICOLON and not sql.rstrip().endswith(";"):
            return SqlFailed("incomplete input: SQLITE_ERROR")  # the semicolon is ours
        return sql_error(exc, sql, self._connection)

    def _settle(self, sql: str, changes: int) -> Written:
        """See to the audit log after a statement; what it wrote."""
        rules, audit = self._rules, self._guard.audit
        written = self._facts.written(rules, changes)
        # What a new object does when it is used, the authoriser sees only then; and an operator may use it.
        plants = written.schema and self._guard.sealed and OPENS in sql.lower()
        if plants or (written.schema and self._facts.took_reserved_name()):
            raise SqlFailed("not authorized: SQLITE_AUTH")
        if written.schema and audit is not None:
            for table in rules.made:
                audit.note_rows_of(table)
            audit.forget_shapes()
        if written.schema or written.unseen:
            about = rules.objects if written.schema else rules.changes
            self._note(about[0], {"sql": sql.strip()[:NOTED_CHARACTERS]})
        self._last_row_id = self._facts.last_row_id(written, self._last_row_id)
        return written

    @contextmanager
    def _engine(self) -> Generator[None]:
        """Statements in the block are the engine's own."""
        was, self._guard.open, self._steps.held = self._guard.open, True, True
        try:
            yield
        finally:
            self._guard.open, self._steps.held = was, False


@contextmanager
def sql_session(
    connection: sqlite3.Connection,
    guard: Guard,
    *,
    writes: bool,
    protected: Callable[[], frozenset[str]],
    is_over: Callable[[], bool],
    note: Callable[[str, dict[str, Any]], None] = lambda subject, values: None,
    limits: SqlLimits = SQL_LIMITS,
    sealed: bool = False,
) -> Generator[SqlSession]:
    """A session on a connection inside a transaction; afterwards the connection is as it was before.

    writes: False on a reader. protected: names of objects that are the charter's. is_over: asked while SQL runs.
    sealed: personal values stay so.
    """
    with limited(connection, limits, is_over) as steps:
        session = SqlSession(
            connection, guard, SqlRules(writes=writes, protected=protected), note, steps, limits.statement_bytes
        )
        guard.sealed = sealed
        try:
            yield session
            session.check()
        finally:
            guard.sealed = False
            session.close()
            if session.sets_pragmas:
                reset_pragmas(connection, guard)


def read_only() -> Forbidden:
    """What a caller is told who may only read."""
    return Forbidden("this token may only read: not authorized: SQLITE_AUTH", code="sql_read_only")


def _out_of_time() -> OutOfTime:
    return OutOfTime("the call exceeded its time limit; ask for less in one call")


def _rows(cursor: sqlite3.Cursor, most_bytes: int | None) -> list[tuple[SqlValue, ...]]:
    """Every row. Raises TooLarge as soon as they are known to be too much for one answer."""
    if most_bytes is None:
        return cursor.fetchall()
    rows: list[tuple[SqlValue, ...]] = []
    size = 0
    for row in cursor:
        # A byte is told as a number, with a comma.
        size += 2 + sum(
            len(value) if isinstance(value, str) else 2 * len(value) if isinstance(value, bytes) else 4 for value in row
        )
        if size > most_bytes:
            raise answer_too_large(most_bytes)
        rows.append(row)
    return rows


def answer_too_large(most_bytes: int) -> TooLarge:
    """What to raise when an answer is over the limit."""
    return TooLarge(
        f"the answer is larger than {most_bytes} bytes, the limit: ask for pages of rows (LIMIT and a WHERE on the "
        "last key), or export the database",
        code="answer_too_large",
    )


def _marked(sql: str, rules: SqlRules, guard: Guard) -> str:
    """The statement as nobody else writes it: SQLite does not judge a statement again that it has compiled before.

    What a statement writes is learnt while it is compiled, so on the writer each has a mark of its own; on a
    reader those that may open personal values have one, and the others another.
    """
    body = sql.rstrip().removesuffix(";")
    # It may end in a comment, which would swallow the mark.
    end = next((end for end in (";", "\n;", "*/;") if _is_complete(body + end)), None)
    if end is None:
        return sql  # a quote or a trigger without its end: SQLite refuses it
    # The semicolon keeps the mark out of names of columns, and out of the text SQLite keeps of CREATE.
    mark = f"{_APART}-{next(_NUMBERS) if rules.writes else int(guard.sealed)}"
    return f"{body}{end}/*{mark}*/"


def _is_complete(sql: str) -> bool:
    return "\0" not in sql and sqlite3.complete_statement(sql.encode("utf-8", "replace").decode())
