"""The files of a local copy as others may find, change or leave them. Knows their names; not the engine's ways."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from db.transaction import ReadTx, WriteTx
from db.vault.vault import Vault

HAND_EDIT = "INSERT INTO shelves (name) VALUES ('by hand')"


def slot(cache: Path, number: int = 0) -> Path:
    return cache / "desk" / str(number)


def edit_by_hand(cache: Path, sql: str = HAND_EDIT) -> None:
    with closing(sqlite3.connect(slot(cache) / "vault.sqlite", isolation_level=None)) as connection:
        connection.execute(sql)


def shelves(tx: ReadTx) -> list[str]:
    return [row["name"] for row in tx.rows("SELECT name FROM shelves ORDER BY name")]


def add_shelf(name: str) -> Callable[[WriteTx], None]:
    return lambda tx: tx.insert("shelves", name=name)


def kept_shelves(path: Path) -> list[str]:
    """The shelves in a file that was kept aside."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return shelves(ReadTx(connection))


def abandon(vault: Vault) -> None:
    """Let go of the files as a killed process does: nothing is folded, no marker written."""
    vault._copy.connections.close_abandoned()
    vault._copy.cache.close()
