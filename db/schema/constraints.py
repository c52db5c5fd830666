"""Constraint failures of SQLite as errors of ours. Judges by result code; text only fills in names for people."""

import re
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from db.errors import Conflict, Invalid, VaultError

__all__ = ["constraints_translated", "translate"]

_RAISED = re.compile(r"([a-z][a-z0-9_]*): (.+)", re.DOTALL)
_NOT_UNIQUE = frozenset(
    {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID}
)
_WRONG_TYPE = frozenset({sqlite3.SQLITE_MISMATCH, 3091})  # 3091: SQLITE_CONSTRAINT_DATATYPE, unnamed in Python 3.11


@contextmanager
def constraints_translated() -> Generator[None]:
    """Run the block; what `translate` knows is raised as an error of ours, the rest passes untouched."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.OperationalError) as exc:
        raise translate(exc) from exc


def translate(exc: sqlite3.IntegrityError | sqlite3.OperationalError) -> VaultError:
    """The error to raise for a failed constraint.

    A trigger that says `RAISE(ABORT, 'code: message')` chooses its own code. Raises `exc` itself when it is not a
    failed constraint: then the fault is ours.
    """
    code = getattr(exc, "sqlite_errorcode", 0)
    text = str(exc)
    names = text.partition("failed: ")[2]
    if code in _NOT_UNIQUE:
        return _not_unique(names)
    if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return Conflict(
            "the change violates a foreign key constraint",
            code="23503",
            details="A row that is referred to is missing, or the row is still referred to.",
        )
    if code == sqlite3.SQLITE_CONSTRAINT_NOTNULL:
        table, _, column = names.partition(".")
        message = f'null value in column "{column}" of relation "{table}" violates not-null constraint'
        return Invalid(message, code="23502", field=column or None)
    if code == sqlite3.SQLITE_CONSTRAINT_CHECK:
        return Invalid(f'new row violates check constraint "{names}"', code="23514")
    if code in _WRONG_TYPE:
        return Invalid(f"a value has the wrong type for its column: {text}", code="22P02")
    if code == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
        return _raised(text)
    raise exc


def _not_unique(names: str) -> Conflict:
    """The error for a second row under one key; `names` is `table.column, table.column`."""
    columns = [name.partition(".")[2] or name for name in names.split(", ")]
    key = ", ".join(columns)
    table = names.partition(".")[0]
    return Conflict(
        f'duplicate key value violates unique constraint on "{table}" ({key})',
        code="23505",
        field=columns[0] if len(columns) == 1 else None,
        details=f"A row with the same {key} exists already.",
    )


def _raised(text: str) -> Conflict:
    """The error a trigger raised."""
    match = _RAISED.fullmatch(text)
    return Conflict(match[2], code=match[1]) if match else Conflict(text, code="P0001")
