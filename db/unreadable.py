"""Sealed values that do not open, and look-up hashes that are not theirs. Knows columns; not why they are damaged."""

import sqlite3
from contextlib import suppress
from typing import Any

from db.json_sql import identifier
from db.transaction import ReadTx, Statement


def unreadable_rows(tx: ReadTx, table: str, column: str, most: int) -> list[str]:
    """Ids of the rows among the newest `most` whose value does not open. The table's key is `id`."""
    place, name = identifier(table), identifier(column)
    some = f"SELECT id FROM {place} WHERE {name} IS NOT NULL ORDER BY id DESC LIMIT :most"
    ids: list[Any] = [row["id"] for row in tx.query(Statement(some, {"most": most}))]
    opening = f"SELECT personal_open('{table}.{column}', {name}) FROM {place} WHERE id = :id"
    found: list[str] = []
    for row_id in ids:
        try:
            tx.query(Statement(opening, {"id": row_id}))
        except sqlite3.OperationalError:
            found.append(row_id)
    return found


def odd_lookups(tx: ReadTx, table: str, column: str, lookup: str) -> list[str]:
    """Ids of the rows whose look-up hash is not that of the value beside it; not those that do not open.

    The table's key is `id`.
    """
    place, sealed, hashed = identifier(table), identifier(column), identifier(lookup)
    ids: list[Any] = [row["id"] for row in tx.query(Statement(f"SELECT id FROM {place} ORDER BY id"))]
    opened = f"personal_lookup(personal_open('{table}.{column}', {sealed}))"
    comparing = f"SELECT {hashed} IS {opened} FROM {place} WHERE id = :id"
    found: list[str] = []
    for row_id in ids:
        with suppress(sqlite3.OperationalError):
            if not tx.query(Statement(comparing, {"id": row_id}))[0][0]:
                found.append(row_id)
    return found
