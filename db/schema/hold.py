"""A hold on a vault's schema: the highest step of each set that it may have. Knows one database; not why it is held.

The hold lies in the vault, and comes with the very commit that took the schema back. So every process that opens the
vault honours it, whatever it last read of the registry; a fork and an archive take it along.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from db.vault.guard import engine_only

_KEY = "schema_hold"
_HAS_SETTINGS = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'vaultry_settings'"
_READ = "SELECT value, updated_at FROM main.vaultry_settings WHERE key = ?"
_SET = engine_only("""
INSERT INTO main.vaultry_settings (key, value, updated_at) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
""")
_END = engine_only("DELETE FROM main.vaultry_settings WHERE key = ?")


@dataclass(frozen=True, slots=True)
class SchemaHold:
    """highest: number of the last step of each set the vault may have; 0 for a set that is not named. since: UTC."""

    highest: Mapping[str, int]
    since: str

    def allows(self, set_name: str, number: int) -> bool:
        """Whether the vault may be given this step."""
        return number <= self.highest.get(set_name, 0)


def read_hold(connection: sqlite3.Connection) -> SchemaHold | None:
    """The hold on this database, or None."""
    if connection.execute(_HAS_SETTINGS).fetchone() is None:
        return None
    row = connection.execute(_READ, (_KEY,)).fetchone()
    return None if row is None else SchemaHold(json.loads(row[0]), row[1])


def put_hold(connection: sqlite3.Connection, hold: SchemaHold | None) -> None:
    """Hold the schema, or hold it no more, in the open transaction."""
    if hold is not None:
        highest = json.dumps(dict(hold.highest), separators=(",", ":"), sort_keys=True)
        connection.execute(_SET, (_KEY, highest, hold.since))
    elif read_hold(connection) is not None:
        connection.execute(_END, (_KEY,))
