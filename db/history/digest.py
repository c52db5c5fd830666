"""The content digest of a database: do two hold the same rows? Knows SQLite; no log, no tenant.

Equal content gives an equal digest however it came about: order of insertion, page size, VACUUM and rowids that SQLite
chose do not count. Any other value, type, row, column, table, index, view or trigger gives another digest.

The format, `c1`. Numbers are big-endian; `text` is a u64 length and that many bytes of UTF-8.

    value    'N'  |  'I' i64  |  'R' IEEE binary64  |  'T' text  |  'B' u64 length, bytes
    row      SHA-256 of its values, in the order of the columns
    table    text name, u64 columns, text of each column's name, u64 rows, the row digests in ascending order
    digest   'c1:' and the hex SHA-256 of 'vaultry content 1' and SHA-256 of each table, tables by name in bytes order

Tables are those that store rows: ordinary ones and the shadow tables of virtual ones; not views. Columns computed on
reading are left out. The schema counts as a table `sqlite_schema` with the columns type, name, tbl_name and sql.
"""

import hashlib
import sqlite3
import struct
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice

from db.json_sql import identifier

_VERSION = "c1:"
# Row digests that are sorted in memory: some 300 KB.
_IN_MEMORY = 4096
_START = b"vaultry content 1"
_U64 = struct.Struct(">Q")
_INTEGER = struct.Struct(">cq")
_REAL = struct.Struct(">cd")
_SIZED = struct.Struct(">cQ")
_TABLES = """
SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow')
   AND name NOT IN ('sqlite_schema', 'sqlite_master')
"""
# hidden: 0 = ordinary, 3 = generated and stored; 1 belongs to virtual tables, 2 is computed on reading.
_COLUMNS = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden IN (0, 3) ORDER BY cid"
SCHEMA_TABLE = "sqlite_schema"
_SCHEMA = (SCHEMA_TABLE, ("type", "name", "tbl_name", "sql"))


class _Text(bytes):
    """Text as its UTF-8 bytes: told from a blob, and never refused for not being UTF-8."""


@dataclass(frozen=True, slots=True)
class TableDigest:
    """One table: how many rows, and the hex digest of its name, columns and rows."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class ContentDigest:
    """A whole database. digest: `c1:` and 64 hex digits. tables: by name."""

    digest: str
    tables: Mapping[str, TableDigest]


def content_digest(connection: sqlite3.Connection) -> ContentDigest:
    """The digest of the main database as this connection sees it, row by row: memory does not grow with the rows.

    The connection is used for nothing else meanwhile. Raises sqlite3.Error for a damaged file.
    """
    factories = connection.text_factory, connection.row_factory
    tables = [_SCHEMA]
    try:
        connection.row_factory = None
        for (name,) in connection.execute(_TABLES).fetchall():
            columns = tuple(row[0] for row in connection.execute(_COLUMNS, (name,)))
            tables.append((name, columns))
        connection.text_factory = _Text
        digests = {name: _table_digest(connection, name, columns) for name, columns in tables}
    finally:
        connection.text_factory, connection.row_factory = factories
    whole = hashlib.sha256(_START)
    for name in sorted(digests, key=str.encode):
        whole.update(bytes.fromhex(digests[name].digest))
    return ContentDigest(_VERSION + whole.hexdigest(), digests)


def _table_digest(connection: sqlite3.Connection, name: str, columns: Sequence[str]) -> TableDigest:
    names = ", ".join(identifier(column) for column in columns)
    rows = connection.execute(f"SELECT {names} FROM main.{identifier(name)}")
    head = [_text(name), _U64.pack(len(columns)), *(_text(column) for column in columns)]
    with _in_order(_row_digests(rows)) as (count, digests):
        digest = hashlib.sha256(b"".join([*head, _U64.pack(count)]))
        for row in digests:
            digest.update(row)
    return TableDigest(count, digest.hexdigest())


@contextmanager
def _in_order(digests: Iterator[bytes]) -> Generator[tuple[int, Iterable[bytes]]]:
    """How many there are, and all of them in ascending order."""
    first = list(islice(digests, _IN_MEMORY))
    if len(first) < _IN_MEMORY:
        yield len(first), sorted(first)
        return
    # A database of its own, which SQLite keeps in memory while it is small and in an unnamed file when it is not.
    with closing(sqlite3.connect("", isolation_level=None)) as sorter:
        sorter.execute("CREATE TABLE found (digest BLOB)")
        sorter.execute("BEGIN")
        sorter.executemany("INSERT INTO found VALUES (?)", ((digest,) for digest in chain(first, digests)))
        count: int = sorter.execute("SELECT count(*) FROM found").fetchone()[0]
        yield count, (row[0] for row in sorter.execute("SELECT digest FROM found ORDER BY digest"))


def _row_digests(rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    for row in rows:
        yield hashlib.sha256(b"".join([part for value in row for part in _parts(value)])).digest()


def _parts(value: object) -> tuple[bytes, ...]:
    """A value as bytes from which it could be read back, so that no two rows share theirs."""
    if value is None:
        return (b"N",)
    if isinstance(value, int):
        return (_INTEGER.pack(b"I", value),)
    if isinstance(value, float):
        return (_REAL.pack(b"R", value),)
    if isinstance(value, bytes):
        return (_SIZED.pack(b"T" if isinstance(value, _Text) else b"B", len(value)), value)
    raise AssertionError(f"SQLite gave a {type(value).__name__}")


def _text(text: str) -> bytes:
    encoded = text.encode()
    return _U64.pack(len(encoded)) + encoded
