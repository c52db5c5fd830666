"""An export: the state at one commit, written to a file, and the file put into the store. Nobody waits for it."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from db.clock import Moment
from db.history.points import database_file_at, find_point
from db.stores.base import ObjectExists, ObjectStore
from db.transfer.dump import DumpOptions, dump
from db.transfer.objects import export_key
from db.vault.new_file import mark_rollback
from db.vault.vault import Vault

_BUFFER_BYTES = 1 << 20
_PIECES_PER_CALL = 1000


def write_dump(vault: Vault, at: str, path: Path, options: DumpOptions, go_on: Callable[[], None]) -> None:
    """Write the state at a bookmark to `path` as SQL. go_on: called now and then; raises to stop. Raises Invalid."""
    database = path.with_name(f"{path.name}.sqlite")
    write_file(vault, at, database)
    try:
        with path.open("w", encoding="utf-8", newline="", buffering=_BUFFER_BYTES) as text:
            for number, piece in enumerate(dump(database, options)):
                text.write(piece)
                if number % _PIECES_PER_CALL == 0:
                    go_on()
    finally:
        database.unlink()


def write_file(vault: Vault, at: str, path: Path) -> None:
    """Write the database file at a bookmark to `path`, fit to be opened by anybody."""
    database_file_at(vault.log, find_point(vault.log, at).txid, path)
    mark_rollback(path)


def keep_export(store: ObjectStore, vault_id: str, filename: str, path: Path, now: Moment) -> None:
    """Put the file into the store; an earlier attempt may have done so."""
    with suppress(ObjectExists):
        store.put(export_key(vault_id, filename), path, timestamp_ms=now.ms, op="jobs:put")
