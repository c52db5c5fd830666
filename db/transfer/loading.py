"""SQL text run on a copy of a vault, statement by statement, with every change audited. Knows one connection.

Nothing of it is a commit yet: the copy is thrown away when anything fails.
"""

import codecs
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from db.audit.trail import AuditTrail
from db.errors import Invalid
from db.sql.limits import SqlLimits
from db.sql.messages import SqlFailed
from db.sql.session import Ran, sql_session
from db.transaction import Actor
from db.vault.guard import Guard

# A row of an export may be some megabytes, and twice as much as a literal.
MOST_CHARACTERS: Final = 25_000_000
_LIMITS: Final = SqlLimits(statement_bytes=4 * MOST_CHARACTERS, value_bytes=4 * MOST_CHARACTERS)
# Notes of changes wait in memory until they become rows of the audit log.
_CHANGES_PER_FLUSH = 2_000
_CHARACTERS_PER_FLUSH = 500_000


@dataclass(slots=True)
class Loaded:
    """What was run so far. changes: rows inserted, updated and deleted. written: those and entries of their indexes."""

    statements: int = 0
    changes: int = 0
    written: int = 0
    read: int = 0
    last_row_id: int = 0
    changed: bool = False


def load(
    connection: sqlite3.Connection,
    trail: AuditTrail,
    statements: Iterable[str],
    protected: frozenset[str],
    actor: Actor,
    at: str,
    go_on: Callable[[], None],
    *,
    sealed: bool,
) -> Loaded:
    """Run the statements in the transaction that is open, leaving their rows in the audit log.

    protected: names that are not theirs to change. at: 24 characters of UTC. go_on: called now and then; raises to
    stop. sealed: personal values stay so.

    Raises SqlFailed for the first statement that fails, its number in the details.
    """
    guard, loaded = Guard(connection, trail), Loaded()
    notes: list[tuple[str, dict[str, Any]]] = []

    def flush() -> None:
        guard.open = True
        trail.flush(actor, at)
        for subject, values in notes:
            trail.note(actor, at, subject, values)
        notes.clear()
        go_on()
        guard.open = False

    def note(subject: str, values: dict[str, Any]) -> None:
        notes.append((subject, values))

    session = sql_session(
        connection,
        guard,
        writes=True,
        protected=lambda: protected,
        is_over=partial(bool),
        note=note,
        limits=_LIMITS,
        sealed=sealed,
    )
    try:
        guard.open = False
        with session as running:
            noted, characters = connection.total_changes, 0
            for statement in statements:
                try:
                    ran = running.run(statement)
                except SqlFailed as exc:
                    exc.details = f"statement {loaded.statements + 1}"
                    raise
                _count(loaded, ran)
                characters += len(statement)
                if connection.total_changes - noted >= _CHANGES_PER_FLUSH or characters >= _CHARACTERS_PER_FLUSH:
                    flush()
                    noted, characters = connection.total_changes, 0
        flush()
    finally:
        guard.open = True
    return loaded


def _count(loaded: Loaded, ran: Ran) -> None:
    loaded.statements += 1
    loaded.changes += ran.changed
    loaded.written += ran.written
    loaded.read += ran.read
    loaded.changed |= ran.changed_db
    loaded.last_row_id = ran.last_row_id


def texts_of(parts: Iterable[bytes]) -> Iterator[str]:
    """The text that comes in parts, without a mark at its beginning. Raises Invalid for what is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        for part in parts:
            yield decoder.decode(part)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as exc:
        raise Invalid("the file is not UTF-8 text", code="file_not_text") from exc
