"""New vaults: a prepared file per combination of migration sets, copied for each tenant. Knows files; not the log."""

import sqlite3
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from db.clock import Moment
from db.keyring import KeyRing
from db.personal import PersonalCipher, ensure_data_key
from db.schema.migrate import MigrationSet, bring_up
from db.sql_functions import register_functions
from db.transaction import WriteTx

PAGE_BYTES = 4096
_EPOCH = Moment(0)
_STAMP = "UPDATE vaultry_migrations SET applied_at = ?"
_SETTING = "INSERT INTO vaultry_settings (key, value, updated_at) VALUES (?, ?, ?)"


def new_database(sets: Sequence[MigrationSet], vault_id: str, keyring: KeyRing, now: Moment) -> bytes:
    """The bytes of a vault that has had every step and nothing else but its origin and its personal-data key."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.deserialize(prepared_database(tuple(sets)))
        connection.execute("BEGIN")
        connection.execute(_STAMP, (now.text,))
        connection.execute(_SETTING, ("origin", vault_id, now.text))
        ensure_data_key(WriteTx(connection), keyring, now)
        connection.execute("COMMIT")
        return as_wal(connection.serialize())
    finally:
        connection.close()


@cache
def prepared_database(sets: tuple[MigrationSet, ...]) -> bytes:
    """A database with every step applied, made once per process: copying it is several times as fast."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "prepared.sqlite", isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("PRAGMA synchronous = OFF")
            register_functions(connection, PersonalCipher(None))
            bring_up(connection, sets, _EPOCH)
            return connection.serialize()
        finally:
            connection.close()


def as_wal(database: bytes) -> bytes:
    """The same file with the header saying WAL mode: bytes 18 and 19 are 2. Source: sqlite.org/fileformat2.html."""
    return database[:18] + b"\x02\x02" + database[20:]


def as_rollback(database: bytes) -> bytes:
    """The same file with the header saying rollback-journal mode, which in-memory and read-only users can open."""
    return database[:18] + b"\x01\x01" + database[20:]


def mark_wal(database: Path) -> None:
    """As `as_wal`, in a file that nobody has open."""
    _mark(database, b"\x02\x02")


def mark_rollback(database: Path) -> None:
    """As `as_rollback`, in a file that nobody has open."""
    _mark(database, b"\x01\x01")


def _mark(database: Path, versions: bytes) -> None:
    with database.open("r+b", buffering=0) as file:
        file.seek(18)
        file.write(versions)
