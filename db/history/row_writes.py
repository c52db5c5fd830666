"""Rows put back, changed and taken away by their keys, in one transaction of whatever order works. Knows no reason why.

Each write is one statement: it either works or leaves nothing. Those that a constraint refuses are tried again after
the others, for what they wait for (a parent, a free key) may come with these.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from db.errors import Conflict, VaultError
from db.history.difference import rowid_name
from db.json_sql import identifier
from db.schema.constraints import translate
from db.schema.schema import Table
from db.transaction import ReadTx, SqlValue, Statement, WriteTx

Key = tuple[SqlValue, ...]
NAMED = 10


@dataclass(frozen=True, slots=True)
class RowWrite:
    """One row to insert, update or delete. key: None for an insertion. values: columns to set, none for a deletion."""

    operation: Literal["insert", "update", "delete"]
    table: Table
    key: Key | None
    values: Mapping[str, SqlValue]

    @property
    def name(self) -> str:
        """The row in words."""
        key = self.key or tuple(self.values.get(name) for name in key_names(self.table))
        return row_name(self.table.name, key)


def row_name(table: str, key: Sequence[SqlValue]) -> str:
    """A row in words: the table and its key, bytes as hex digits."""
    return f"{table} {', '.join(part.hex() if isinstance(part, bytes) else str(part) for part in key)}"


def carry_out(tx: WriteTx, writes: Iterable[RowWrite]) -> None:
    """Write the rows. One to update or delete that is not there is passed over.

    A row to insert that a trigger has made meanwhile gets the wanted values. Raises Conflict, with the code of the
    first refusal, naming the rows that cannot be written.
    """
    waiting: Iterable[RowWrite] = writes
    while True:
        refused: list[tuple[RowWrite, VaultError]] = []
        tried = 0
        for write in waiting:
            tried += 1
            try:
                tx.run(_statement(write))
            except (sqlite3.IntegrityError, sqlite3.OperationalError) as exc:
                refused.append((write, translate(exc)))
        if not refused:
            return
        waiting = [write for write, _ in refused]
        if len(refused) == tried:
            # No other write makes way for them.
            waiting = [_over_what_is_there(tx, write) for write in waiting]
            if all(write is old for write, (old, _) in zip(waiting, refused, strict=True)):
                raise _impossible(refused)


def _over_what_is_there(tx: WriteTx, write: RowWrite) -> RowWrite:
    """An update instead of an insertion whose key is there already; anything else as it is."""
    if write.operation != "insert" or any(name not in write.values for name in key_names(write.table)):
        return write
    key = tuple(write.values[name] for name in key_names(write.table))
    there = read_row(tx, write.table, key) is not None
    return replace(write, operation="update", key=key) if there else write


def read_row(tx: ReadTx, table: Table, key: Key) -> dict[str, SqlValue] | None:
    """Every column of the row with this key, or None."""
    names = ", ".join(identifier(column.name) for column in table.columns)
    where, values = _by_key(table, key)
    rows = tx.query(Statement(f"SELECT {names} FROM main.{identifier(table.name)} WHERE {where}", values))
    return dict(rows[0]) if rows else None


def key_names(table: Table) -> tuple[str, ...]:
    """The columns by which the audit log names a row: its primary key, or the rowid of a table without one."""
    return table.primary_key or (rowid_name(table),)


def writable(table: Table) -> frozenset[str]:
    """The columns that can be set: those that are not computed."""
    return frozenset(column.name for column in table.columns if not column.generated)


def _statement(write: RowWrite) -> Statement:
    table = f"main.{identifier(write.table.name)}"
    kept = [name for name in write.values if name in writable(write.table) or write.table.column(name) is None]
    values: dict[str, SqlValue] = {f"c{place}": write.values[name] for place, name in enumerate(kept)}
    if write.key is None:
        names = ", ".join(map(identifier, kept))
        marks = ", ".join(f":c{place}" for place in range(len(kept)))
        return Statement(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
    where, keyed = _by_key(write.table, write.key)
    if write.operation == "delete":
        return Statement(f"DELETE FROM {table} WHERE {where}", keyed)
    sets = ", ".join(f"{identifier(name)} = :c{place}" for place, name in enumerate(kept))
    return Statement(f"UPDATE {table} SET {sets} WHERE {where}", {**values, **keyed})


def _by_key(table: Table, key: Key) -> tuple[str, dict[str, SqlValue]]:
    """The condition that names one row, and its values. IS: a part of a key may be NULL."""
    names = key_names(table)
    where = " AND ".join(f"{identifier(name)} IS :k{place}" for place, name in enumerate(names))
    return where, {f"k{place}": value for place, value in enumerate(key)}


def _impossible(refused: Sequence[tuple[RowWrite, VaultError]]) -> Conflict:
    named = "; ".join(f"{write.operation} {write.name}: {error.message}" for write, error in refused[:NAMED])
    more = f"; and {len(refused) - NAMED} more" if len(refused) > NAMED else ""
    return Conflict(
        f"{len(refused)} rows cannot be written as they were; nothing was changed",
        code=refused[0][1].code,
        details=f"{named}{more}",
        hint="what they refer to, or what refers to them, has to come back or go first",
    )
