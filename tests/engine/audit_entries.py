"""Works on the desk and the entries they leave in its audit log, for proofs about that log."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, LiteralString

from db.audit.trail import verify_chain
from db.transaction import ReadTx, SqlValue, WriteTx
from db.vault.opening import read_audit_key
from db.vault.vault import Vault
from tests.engine.desk import ACTOR, KEYS, in_memory

Work = Callable[[WriteTx], object]
SHELVES = "INSERT INTO shelves (id, name) VALUES (1, 'top'), (2, 'low')"
BOOKS = "INSERT INTO books (id, shelf_id, title) VALUES (10, 1, 'Rehepapp'), (20, 2, 'Kevade')"


@dataclass(frozen=True)
class Entry:
    """What one audit row says about a row."""

    operation: str
    table: str
    key: list[Any]
    old: dict[str, Any] | None
    new: dict[str, Any] | None


def run(*statements: LiteralString, **values: SqlValue) -> Work:
    """A work of these statements."""

    def work(tx: WriteTx) -> None:
        for sql in statements:
            tx.execute(sql, **values)

    return work


def written_by(vault: Vault, work: Work) -> list[Entry]:
    """The entries that the work left, in their order."""
    before = length(vault)
    vault.write(work, ACTOR)
    rows = vault.read(lambda tx: tx.rows("SELECT * FROM vaultry_audit WHERE seq > :before ORDER BY seq", before=before))
    return [
        Entry(
            row["operation"],
            row["table_name"],
            json.loads(row["row_key"]),
            parsed(row["old_values"]),
            parsed(row["new_values"]),
        )
        for row in rows.value
    ]


def parsed(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


def length(vault: Vault) -> int:
    return int(vault.read(lambda tx: tx.value("SELECT count(*) FROM vaultry_audit")).value)


def verdict(database: bytes, tamper: LiteralString = "SELECT 1") -> tuple[int, str | None]:
    """What the check of the chain says of a raw copy of the database that somebody ran a statement on."""
    with closing(in_memory(database)) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{trigger}"')
        connection.execute(tamper)
        key = read_audit_key(connection, KEYS)
        assert key is not None
        return verify_chain(ReadTx(connection), key)
