"""Wiping a vault: what forgotten people left in the free bytes of its file goes, in a commit of its own.

Killed halfway it did nothing; run again it finds nothing to do. Knows the vault; not who is forgotten, nor why.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from db.clock import Moment
from db.forgetting.freed_bytes import overwrite_freed_bytes
from db.forgetting.ledger import mark_wiped, unwiped
from db.transaction import Actor
from db.vault.new_file import mark_rollback, mark_wal
from db.vault.vault import FIRST_PRIMARY, Vault

_ROOTS = "SELECT rootpage FROM sqlite_schema WHERE rootpage > 1"


def wipe(vault: Vault, actor: Actor, now: Moment) -> int:
    """Overwrite the freed bytes of the vault's file if somebody was forgotten since the last time; for how many.

    Older points in time keep what they had until they fall out of the vault's retention.
    """
    if not vault.read(unwiped, FIRST_PRIMARY).value:
        return 0
    newest: list[str] = []

    def build(writer: sqlite3.Connection, new: Path) -> None:
        newest[:] = [writer.execute("SELECT max(forgotten_at) FROM vaultry_forgotten").fetchone()[0]]
        with closing(sqlite3.connect(new, isolation_level=None)) as copy:
            writer.backup(copy)
        mark_rollback(new)
        with closing(sqlite3.connect(new, isolation_level=None)) as copy:
            roots = [int(row[0]) for row in copy.execute(_ROOTS)]
        overwrite_freed_bytes(new, roots)
        mark_wal(new)

    vault.replace(lambda path: path.unlink(missing_ok=True), build)
    return vault.write(lambda tx: mark_wiped(tx, newest[0], now), actor, now).value
