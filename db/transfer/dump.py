"""A database file as SQL text: tables with their rows, then what hangs on them. Reads one file that nobody writes to.

The text is read by the sqlite3 shell, and as an import into a new vault: the engine's own tables, which every vault
has, are left out, and so is what the new vault has already. Memory holds one row at a time.
"""

import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from db.errors import Invalid
from db.transfer.literals import Literals, Value, identifier, text_literal

HEADER: Final = "PRAGMA defer_foreign_keys=TRUE;\n"
KERNEL_NOTE: Final = "-- Left out: the engine's own tables (vaultry_*), which every vault has.\n"
_OWN: Final = ("vaultry_", "sqlite_", "_cf_")
_OBJECTS = """
SELECT s.type, s.name, s.tbl_name, s.sql, l.type AS kind, l.wr
  FROM sqlite_schema AS s LEFT JOIN pragma_table_list AS l ON l.schema = 'main' AND l.name = s.name
 WHERE s.sql IS NOT NULL ORDER BY s.rowid
"""
_COLUMNS = "SELECT name, hidden FROM pragma_table_xinfo(?)"
_INTEGER_KEY = "SELECT count(*), max(lower(type) = 'integer') FROM pragma_table_xinfo(?) WHERE pk > 0"
_HAS_SEQUENCES = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'"
_UNIQUE: Final = re.compile(r"CREATE\s+UNIQUE\b", re.IGNORECASE)
_FTS5: Final = re.compile(r"\busing\s+[\"'`\[]?fts5\b", re.IGNORECASE)
_FTS5_CONTENT: Final = re.compile(r"[,(]\s*content\s*=\s*(''|\"\"|[^,)\s]+)", re.IGNORECASE)
_ROWID_NAMES = ("rowid", "_rowid_", "oid")


@dataclass(frozen=True, slots=True)
class DumpOptions:
    """schema, data: whether to write them. tables: only these, None = everything.

    present: name and SQL of what the database that takes it in has already.
    """

    schema: bool = True
    data: bool = True
    tables: Collection[str] | None = None
    present: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class _Object:
    """One line of the schema. kind: table, virtual, shadow or view, None for indexes and triggers."""

    type: str
    name: str
    table: str
    sql: str
    kind: str | None
    rowid: bool


def dump(database: Path, options: DumpOptions) -> Iterator[str]:
    """The text, in pieces of a statement or less. Raises Invalid for a table that is not there."""
    uri = f"{database.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection, closing(Literals()) as literals:
        # What is stored as text need not be UTF-8.
        connection.text_factory = bytes
        yield HEADER
        yield KERNEL_NOTE
        yield from _Dump(connection, literals, options).pieces()


@dataclass(frozen=True, slots=True)
class _Dump:
    """One dump under way."""

    connection: sqlite3.Connection
    literals: Literals
    options: DumpOptions

    def pieces(self) -> Iterator[str]:
        """Every statement in order."""
        options = self.options
        found = [_object(row) for row in self.connection.execute(_OBJECTS)]
        objects = [known for known in found if not known.name.startswith(_OWN)]
        tables = _chosen(objects, options.tables)
        names = {known.name for known in tables}
        plain = [known for known in tables if known.kind == "table"]
        virtual = [known for known in tables if known.kind == "virtual"]
        hung = [
            known for known in objects if known.type != "table" and (options.tables is None or known.table in names)
        ]
        # A row is taken only when the tables it refers to are there, and what makes their keys unique.
        first = [known for known in hung if known.type == "index" and _UNIQUE.match(known.sql)]
        later = [known for kind in ("index", "view", "trigger") for known in hung if known.type == kind]
        yield from self._schema((*plain, *first))
        if options.data:
            for known in plain:
                yield from self._rows(known)
        yield from self._schema(virtual)
        if options.data:
            for known in virtual:
                yield from self._indexed(known)
            yield from self._sequences(names)
        yield from self._schema([known for known in later if known not in first])
        if options.data:
            # Last: it may be built from a view.
            yield from (_rebuilt(known) for known in virtual if _content(known))

    def _schema(self, objects: Iterable[_Object]) -> Iterator[str]:
        if self.options.schema:
            for known in objects:
                yield from _declared(known, self.options)

    def _rows(self, known: _Object) -> Iterator[str]:
        """An insertion for each row, in order. What is generated is left out."""
        columns = [(name.decode(), hidden) for name, hidden in self.connection.execute(_COLUMNS, (known.name,))]
        names = [identifier(name) for name, hidden in columns if hidden == 0]
        taken = {name.lower() for name, _ in columns}
        number = next((name for name in _ROWID_NAMES if name not in taken), None) if known.rowid else None
        if number is not None and not self._numbered_in_order(known, number):
            names.insert(0, number)
        yield from self._insertions(known.name, names, number)

    def _numbered_in_order(self, known: _Object, number: str) -> bool:
        """Whether new rows would get the numbers these have, or a column holds the number anyway."""
        if self.connection.execute(_INTEGER_KEY, (known.name,)).fetchone() == (1, 1):
            return True
        table = identifier(known.name)
        count, last = self.connection.execute(f"SELECT count(*), max({number}) FROM {table}").fetchone()
        first = self.connection.execute(f"SELECT min({number}) FROM {table}").fetchone()[0]
        return count == 0 or (first, last) == (1, count)

    def _insertions(self, table: str, names: list[str], number: str | None) -> Iterator[str]:
        if not names:
            return
        kinds = ", ".join(f"typeof({name})" for name in names)
        head = f"INSERT INTO {identifier(table)} ({','.join(names)}) VALUES("
        # Without being told the order, SQLite may read an index that has every column.
        order = f" ORDER BY {number}" if number else ""
        for row in self.connection.execute(f"SELECT {', '.join(names)}, {kinds} FROM {identifier(table)}{order}"):
            values: tuple[Value, ...] = row[: len(names)]
            typed = zip(values, row[len(names) :], strict=True)
            yield f"{head}{','.join(self.literals.of(value, kind.decode()) for value, kind in typed)});\n"

    def _indexed(self, known: _Object) -> Iterator[str]:
        """What fills a full-text index: its settings, then its rows if it keeps them."""
        if not _FTS5.search(known.sql):
            return
        name = identifier(known.name)
        settings = f"SELECT k, v, typeof(v) FROM {identifier(known.name + '_config')} WHERE k <> 'version' ORDER BY k"
        for key, value, kind in self.connection.execute(settings):
            told = self.literals.of(value, kind.decode())
            yield f"INSERT INTO {name} ({name},rank) VALUES({text_literal(key)},{told});\n"
        content = _FTS5_CONTENT.search(known.sql)
        if content is None:
            found = self.connection.execute(_COLUMNS, (known.name,))
            columns = [identifier(column.decode()) for column, hidden in found if hidden == 0]
            yield from self._insertions(known.name, ["rowid", *columns], "rowid")
        elif not _content(known):
            shown = re.sub(r"[\r\n]", " ", known.name)
            yield f"-- {shown}: a full-text index that keeps no content comes without any.\n"

    def _sequences(self, tables: Collection[str]) -> Iterator[str]:
        """How far each table's automatic keys have come."""
        if self.connection.execute(_HAS_SEQUENCES).fetchone() is None:
            return
        for name, last in self.connection.execute("SELECT name, seq FROM sqlite_sequence ORDER BY name"):
            if name.decode() in tables:
                told = text_literal(name)
                yield f"DELETE FROM sqlite_sequence WHERE name={told};\n"
                yield f"INSERT INTO sqlite_sequence (name,seq) VALUES({told},{self.literals.of(last, 'integer')});\n"


def _chosen(objects: list[_Object], wanted: Collection[str] | None) -> list[_Object]:
    """The tables to dump, in order. Raises Invalid."""
    tables = [known for known in objects if known.kind in ("table", "virtual")]
    missing = sorted(set(wanted or ()) - {known.name for known in tables})
    if missing:
        raise Invalid(f"Invalid property: dump_options.tables => no table {missing[0][:80]!r}", field="tables")
    return [known for known in tables if wanted is None or known.name in wanted]


def _content(known: _Object) -> str:
    """The table or view a full-text index is made of; '' for one that keeps its rows itself, or none."""
    if known.kind != "virtual" or not _FTS5.search(known.sql):
        return ""
    content = _FTS5_CONTENT.search(known.sql)
    return content[1].strip("'\"") if content else ""


def _rebuilt(known: _Object) -> str:
    name = identifier(known.name)
    return f"INSERT INTO {name} ({name}) VALUES('rebuild');\n"


def _object(row: tuple[bytes | int | None, ...]) -> _Object:
    kind, name, table, sql, listed, without_rowid = (
        part.decode("utf-8", "replace") if isinstance(part, bytes) else part for part in row
    )
    return _Object(str(kind), str(name), str(table), str(sql).strip(), None if listed is None else str(listed),
                   not without_rowid)  # fmt: skip


def _declared(known: _Object, options: DumpOptions) -> Iterator[str]:
    """The statement that makes it; where the other database has one of that name, that goes first."""
    present = options.present.get(known.name)
    if present == known.sql:
        return
    if present is not None:
        yield f"DROP {known.type.upper()} IF EXISTS {identifier(known.name)};\n"
    yield f"{known.sql};\n"
