"""The tables of one vault as SQLite declares them: columns, keys, references. Knows pragmas; no resource, no caller."""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from db.transaction import ReadTx

__all__ = ["Column", "ForeignKey", "Schema", "Table", "is_timeless", "read_schema"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column as declared.

    declared_type: the word in the DDL, upper case. default_sql: the DEFAULT expression as text.
    pk_position: 1-based place in the primary key, 0 outside it. generated: computed, so it cannot be written.
    """

    name: str
    declared_type: str
    not_null: bool
    default_sql: str | None
    pk_position: int
    generated: bool

    @property
    def affinity(self) -> str:
        """TEXT, INTEGER, REAL, NUMERIC, BLOB or ANY. Source: sqlite.org/datatype3.html, section 3.1."""
        declared = self.declared_type
        if declared == "ANY":
            return "ANY"
        for affinity, words in _AFFINITY_WORDS:
            if any(word in declared for word in words):
                return affinity
        return "NUMERIC" if declared else "BLOB"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference to a parent table. on_delete, on_update: SQLite's words, such as CASCADE or NO ACTION."""

    columns: tuple[str, ...]
    parent_table: str
    parent_columns: tuple[str, ...]
    on_delete: str
    on_update: str


@dataclass(frozen=True, slots=True)
class Table:
    """One ordinary table. unique_keys: its other unique keys, without partial indexes and those over expressions."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]
    unique_keys: tuple[tuple[str, ...], ...]
    strict: bool
    without_rowid: bool

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """Every set of columns that names at most one row, the primary key first."""
        return (self.primary_key, *self.unique_keys) if self.primary_key else self.unique_keys


@dataclass(frozen=True, slots=True)
class Schema:
    """Every ordinary table of a vault by its name; views and virtual tables are left out.

    timeless: whether no view can show other rows only because time went by.
    """

    tables: Mapping[str, Table]
    timeless: bool = False

    def cascades(self, table: str) -> frozenset[str]:
        """The other tables whose rows SQLite itself may change when rows of `table` are deleted or get a new key.

        The table is in the answer only when it refers to itself. An upper bound: SET NULL counts as a change that
        may go on.
        """
        reached: set[str] = set()
        waiting = [table]
        while waiting:
            parent = waiting.pop()
            for child in self.tables.values():
                if child.name not in reached and any(_acts_on(key, parent) for key in child.foreign_keys):
                    reached.add(child.name)
                    waiting.append(child.name)
        return frozenset(reached)


_AFFINITY_WORDS = (
    ("INTEGER", ("INT",)),
    ("TEXT", ("CHAR", "CLOB", "TEXT")),
    ("BLOB", ("BLOB",)),
    ("REAL", ("REAL", "FLOA", "DOUB")),
)
_ACTIONS = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})

_COLUMNS = """
SELECT t.name, t.strict, t.wr, c.name, c.type, c."notnull", c.dflt_value, c.pk, c.hidden
  FROM pragma_table_list AS t JOIN pragma_table_xinfo(t.name, 'main') AS c
 WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
 ORDER BY t.name, c.cid
"""
_REFERENCES = """
SELECT t.name, f.id, f."table", f."from", f."to", f.on_delete, f.on_update
  FROM pragma_table_list AS t JOIN pragma_foreign_key_list(t.name, 'main') AS f
 WHERE t.schema = 'main' AND t.type = 'table'
 ORDER BY t.name, f.id, f.seq
"""
_UNIQUE_KEYS = """
SELECT t.name, i.name, c.name
  FROM pragma_table_list AS t JOIN pragma_index_list(t.name, 'main') AS i JOIN pragma_index_info(i.name, 'main') AS c
 WHERE t.schema = 'main' AND t.type = 'table' AND i."unique" AND NOT i.partial AND i.origin <> 'pk'
 ORDER BY t.name, i.name, c.seqno
"""
_VIEWS = "SELECT sql FROM sqlite_schema WHERE type = 'view'"
# What SQLite's clock and dice are called; in a comment as well, which costs no more than a read.
_CHANGING = re.compile(r"\b(now|current_\w+|unixepoch|julianday|random\w*)\b", re.IGNORECASE)
_Rows = Sequence[Sequence[Any]]


def is_timeless(sql: str) -> bool:
    """Whether the SQL gives the same on the same rows at any time; `:now` does not."""
    return _CHANGING.search(sql) is None


def read_schema(source: sqlite3.Connection | ReadTx) -> Schema:
    """The schema of the main database, in four queries."""
    column_rows, reference_rows, unique_rows = (_rows(source, sql) for sql in (_COLUMNS, _REFERENCES, _UNIQUE_KEYS))
    columns: dict[str, list[Column]] = defaultdict(list)
    kinds: dict[str, tuple[bool, bool]] = {}
    for table, strict, without_rowid, name, declared, not_null, default, position, hidden in column_rows:
        kinds[table] = (bool(strict), bool(without_rowid))
        columns[table].append(Column(name, declared.upper(), bool(not_null), default, position, hidden in (2, 3)))
    primary_keys = {table: _primary_key(found) for table, found in columns.items()}
    references = _foreign_keys(reference_rows, primary_keys)
    unique_keys = _unique_keys(unique_rows)
    return Schema(
        {
            name: Table(
                name,
                tuple(columns[name]),
                primary_keys[name],
                tuple(references[name]),
                tuple(unique_keys[name]),
                strict,
                without_rowid,
            )
            for name, (strict, without_rowid) in kinds.items()
        },
        all(is_timeless(sql) for (sql,) in _rows(source, _VIEWS)),
    )


def _rows(source: sqlite3.Connection | ReadTx, sql: LiteralString) -> _Rows:
    """The rows of one of the three queries."""
    return source.rows(sql) if isinstance(source, ReadTx) else source.execute(sql).fetchall()


def _primary_key(columns: Sequence[Column]) -> tuple[str, ...]:
    """The key columns in key order."""
    return tuple(c.name for c in sorted(columns, key=lambda column: column.pk_position) if c.pk_position)


def _foreign_keys(rows: _Rows, primary_keys: Mapping[str, tuple[str, ...]]) -> dict[str, list[ForeignKey]]:
    """The references of each table; one that names no parent column means the parent's primary key."""
    grouped: dict[tuple[str, int], list[Sequence[Any]]] = defaultdict(list)
    for row in rows:
        grouped[row[0], row[1]].append(row)
    references: dict[str, list[ForeignKey]] = defaultdict(list)
    for (table, _), parts in grouped.items():
        parent = parts[0][2]
        named = tuple(part[4] for part in parts)
        parent_columns = primary_keys.get(parent, ()) if None in named else named
        own = tuple(part[3] for part in parts)
        references[table].append(ForeignKey(own, parent, parent_columns, parts[0][5], parts[0][6]))
    return references


def _unique_keys(rows: _Rows) -> dict[str, list[tuple[str, ...]]]:
    """The unique keys of each table; an index over an expression has a column without a name and is left out."""
    grouped: dict[tuple[str, str], list[str | None]] = defaultdict(list)
    for table, index, column in rows:
        grouped[table, index].append(column)
    unique_keys: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for (table, _), columns in grouped.items():
        named = tuple(column for column in columns if column is not None)
        if len(named) == len(columns):
            unique_keys[table].append(named)
    return unique_keys


def _acts_on(key: ForeignKey, parent: str) -> bool:
    """Whether this reference makes SQLite change the child when the parent's row goes or gets a new key."""
    return key.parent_table == parent and (key.on_delete in _ACTIONS or key.on_update in _ACTIONS)
