"""A vault as a plain SQLite file for anybody's tools. Knows database bytes and ciphers; no tenant."""

import os
import sqlite3
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from db.errors import Conflict
from db.json_sql import identifier
from db.personal import PersonalCipher
from db.sql_functions import register_functions
from db.vault.new_file import mark_rollback

_TRIGGERS = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?"
Personal = Mapping[str, Collection[str]]


def plain_file(database: Path, target: Path, cipher: PersonalCipher, personal: Personal) -> int:
    """Write the same content to the new file `target` in rollback-journal mode, vacuumed; its length in bytes.

    Nothing deleted lingers in free pages. database: a file of one's own, which is changed. personal: columns to open,
    by table; empty = all stay sealed. One the database lacks is left out, for an older point may. A destroyed key opens
    to NULL. Raises VaultError `personal_unreadable` for a damaged value.
    """
    mark_rollback(database)
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        register_functions(connection, cipher)
        for table, columns in personal.items():
            _open_columns(connection, table, columns)
        connection.execute("VACUUM INTO ?", (str(target),))
    finally:
        connection.close()
    return target.stat().st_size


@contextmanager
def appearing(path: Path, *, replace: bool) -> Generator[Path]:
    """A name beside `path` under which the block makes the file; it is synced and renamed then.

    The file appears whole or not at all, readable by its owner. Raises Conflict (file_exists) unless `replace`.
    """
    unfinished = path.with_name(f".{path.name}.{os.urandom(6).hex()}.unfinished")
    try:
        unfinished.touch(0o600, exist_ok=False)
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        if path.exists() and not replace:
            raise Conflict(f"{path} exists already", code="file_exists")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a small file as `appearing` does."""
    with appearing(path, replace=replace) as unfinished:
        unfinished.write_bytes(content)


def _open_columns(connection: sqlite3.Connection, table: str, columns: Collection[str]) -> None:
    """Replace sealed text by what it says, in place. A trigger of the table must neither refuse nor answer to it."""
    present = {row[1] for row in connection.execute(f"PRAGMA table_info({identifier(table)})")}
    opened = sorted(present.intersection(columns))
    if not opened:
        return
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (table,)
    )
    kept = triggers.fetchall()
    for name, _ in kept:
        connection.execute(f"DROP TRIGGER {identifier(name)}")
    assignments = ", ".join(f"{identifier(name)} = personal_open(?, {identifier(name)})" for name in opened)
    contexts = [f"{table}.{name}" for name in opened]
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute(f"UPDATE main.{identifier(table)} SET {assignments}", contexts)
    for _, sql in kept:
        connection.execute(sql)
