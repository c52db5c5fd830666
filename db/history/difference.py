"""What differs between two states of one database: tables and indexes, then rows by their key. Knows SQLite files only.

Both files are read once, in the order of the key, side by side: memory does not grow with them. Rows of a table
without a primary key are told apart by their rowid.
"""

import sqlite3
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from db.json_sql import identifier
from db.personal import PersonalCipher
from db.schema.schema import Schema, Table, read_schema
from db.sql_functions import register_functions
from db.transaction import SqlValue

Key = tuple[SqlValue, ...]
Change = Literal["added", "removed", "changed"]
_ROWID_NAMES = ("rowid", "_rowid_", "oid")


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """Something of the schema that is not the same. kind: table, index, view or trigger. details: of its columns."""

    kind: str
    name: str
    change: Change
    details: str = ""


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row that is not the same. old, new: all columns, or for `changed` those that differ; None where it is absent.

    A value is the same when its type is, too. A column that only one side has does not count as a difference.
    """

    table: str
    change: Change
    key: Mapping[str, SqlValue]
    old: Mapping[str, SqlValue] | None
    new: Mapping[str, SqlValue] | None


@contextmanager
def opened_file(path: Path, cipher: PersonalCipher) -> Generator[sqlite3.Connection]:
    """A database file that nobody changes, for reading. cipher: for columns computed from personal ones."""
    # immutable: a file that says WAL is then read without making a -wal or -shm file beside it.
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    try:
        register_functions(connection, cipher)
        yield connection
    finally:
        connection.close()


def schema_changes(before: sqlite3.Connection, after: sqlite3.Connection) -> list[SchemaChange]:
    """What of the schema was added, removed or changed, by kind and name."""
    old, new = _declared(before), _declared(after)
    tables = (read_schema(before), read_schema(after))
    changes: list[SchemaChange] = []
    for kind, name in sorted(old.keys() | new.keys()):
        if (kind, name) not in old:
            changes.append(SchemaChange(kind, name, "added"))
        elif (kind, name) not in new:
            changes.append(SchemaChange(kind, name, "removed"))
        elif old[kind, name] != new[kind, name]:
            changes.append(SchemaChange(kind, name, "changed", _column_changes(name, *tables)))
    return changes


def changed_rows(
    before: sqlite3.Connection, after: sqlite3.Connection, old: Table | None, new: Table | None
) -> Iterator[RowChange]:
    """The rows of one table that differ, in the order of its key, as they are found.

    old, new: the table in each state; None where it does not exist. With another key in each, every row counts as
    removed and added.
    """
    key = None if old is None or new is None else _shared_key(old, new)
    if old is None or new is None or key is None:
        for side, table in (("removed", old), ("added", new)):
            if table is not None:
                yield from _whole(before if side == "removed" else after, table, side == "removed")
        return
    shared = [column.name for column in old.columns if new.column(column.name) is not None]
    yield from _merged(old.name, key, shared, _rows(before, old, key), _rows(after, new, key))


def key_columns(table: Table) -> tuple[str, ...]:
    """The columns that tell the rows of a table apart: its primary key, or the rowid where it has none."""
    return table.primary_key or (rowid_name(table),)


def rowid_name(table: Table) -> str:
    """The name by which the rowid of a table can be asked for."""
    taken = {column.name.lower() for column in table.columns}
    return next((name for name in _ROWID_NAMES if name not in taken), _ROWID_NAMES[0])


_DECLARED = """
SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
"""


def _declared(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    return {(kind, name): sql for kind, name, sql in connection.execute(_DECLARED)}


def _column_changes(name: str, before: Schema, after: Schema) -> str:
    """Which columns a table gained, lost, or has in another form, in words."""
    old, new = before.tables.get(name), after.tables.get(name)
    if old is None or new is None:
        return ""
    was = {column.name: column for column in old.columns}
    now = {column.name: column for column in new.columns}
    parts = {
        "added": [column for column in now if column not in was],
        "removed": [column for column in was if column not in now],
        "altered": [column for column in now if column in was and was[column] != now[column]],
    }
    return "; ".join(f"columns {word}: {', '.join(names)}" for word, names in parts.items() if names)


def _shared_key(old: Table, new: Table) -> tuple[str, ...] | None:
    key = key_columns(old)
    return key if key == key_columns(new) else None


def _merged(
    table: str, key: tuple[str, ...], shared: Sequence[str], old: Iterator["_Row"], new: Iterator["_Row"]
) -> Iterator[RowChange]:
    """Two lists of rows in the order of their keys as one list of differences."""
    left, right = next(old, None), next(new, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.place < right.place):
            if left is not None:
                yield RowChange(table, "removed", left.key, left.values, None)
            left = next(old, None)
        elif left is None or right.place < left.place:
            yield RowChange(table, "added", right.key, None, right.values)
            right = next(new, None)
        else:
            differing = [name for name in shared if not same_value(left.values[name], right.values[name])]
            if differing:
                was, now = ({name: row.values[name] for name in differing} for row in (left, right))
                yield RowChange(table, "changed", left.key, was, now)
            left, right = next(old, None), next(new, None)


def _sortable(value: SqlValue) -> tuple[int, int | float | bytes]:
    """A value in SQLite's own order: NULL, numbers, text by its bytes, bytes. Source: sqlite.org/datatype3.html."""
    match value:
        case None:
            return 0, 0
        case str():
            return 2, value.encode("utf-8", "surrogateescape")
        case bytes():
            return 3, value
        case _:
            return 1, value


def same_value(one: SqlValue, other: SqlValue) -> bool:
    """Whether two values are the same to SQLite: 1 and 1.0 are not."""
    return type(one) is type(other) and one == other


def _whole(connection: sqlite3.Connection, table: Table, removed: bool) -> Iterator[RowChange]:
    """Every row of a table that the other state does not have, or has under another key."""
    key = key_columns(table)
    for row in _rows(connection, table, key):
        if removed:
            yield RowChange(table.name, "removed", row.key, row.values, None)
        else:
            yield RowChange(table.name, "added", row.key, None, row.values)


@dataclass(frozen=True, slots=True)
class _Row:
    """One row. place: in the order of the key. key: its columns, and the rowid where one of them is NULL."""

    place: tuple[tuple[int, int | float | bytes], ...]
    key: dict[str, SqlValue]
    values: dict[str, SqlValue]


def _rows(connection: sqlite3.Connection, table: Table, key: tuple[str, ...]) -> Iterator[_Row]:
    """Every row. Ordered by bytes whatever the collation, as places compare."""
    # Several rows of an ordinary table may have NULL in their key: then the rowid tells them apart.
    parts = [*map(identifier, key), "NULL" if table.without_rowid else identifier(rowid_name(table))]
    columns = [column.name for column in table.columns]
    order = ", ".join(f"{part} COLLATE BINARY" for part in parts if part != "NULL")
    chosen = ", ".join([*parts, *map(identifier, columns)])
    for row in connection.execute(f"SELECT {chosen} FROM {identifier(table.name)} ORDER BY {order}"):
        width = len(key)
        keyed = dict(zip(key, row, strict=False))
        if None in keyed.values():
            keyed[rowid_name(table)] = row[width]
        place = tuple(_sortable(value) for value in keyed.values())
        yield _Row(place, keyed, dict(zip(columns, row[width + 1 :], strict=True)))
