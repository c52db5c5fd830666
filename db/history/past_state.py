"""A state of the past as a file, for as long as it is looked at. Knows the log and files; not what is looked for."""

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from db.clock import Moment
from db.history.difference import opened_file
from db.history.points import database_file_at
from db.log.ltx import TXID
from db.personal import PersonalCipher
from db.schema.hold import SchemaHold
from db.schema.migrate import MigrationSet, bring_up
from db.sql_functions import register_functions
from db.vault.new_file import mark_rollback
from db.vault.vault import Vault


@contextmanager
def past_file(vault: Vault, txid: TXID) -> Generator[Path]:
    """The database at a commit, as a file of one's own that goes with the block. Raises NotFound, CorruptLog."""
    with vault.scratch() as folder:
        path = folder / "past.sqlite"
        database_file_at(vault.log, txid, path)
        mark_rollback(path)
        yield path


@contextmanager
def past_database(vault: Vault, txid: TXID, cipher: PersonalCipher) -> Generator[sqlite3.Connection]:
    """The database at a commit, for reading. cipher: as of today, so that what was erased stays erased."""
    with past_file(vault, txid) as path, opened_file(path, cipher) as connection:
        yield connection


def bring_file_up(
    path: Path, sets: Sequence[MigrationSet], hold: SchemaHold | None, cipher: PersonalCipher, now: Moment
) -> None:
    """Give the file every step that the vault it came from may have by now. Raises MigrationFailed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        register_functions(connection, cipher)
        bring_up(connection, sets, now, hold)
