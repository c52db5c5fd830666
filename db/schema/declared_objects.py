"""The names that migrations give, which SQL somebody sends must leave alone. Knows migration sets; no charter."""

import sqlite3
from collections.abc import Mapping
from functools import cache

from db.schema.migrate import MigrationSet
from db.vault.new_file import as_rollback, prepared_database

_NAMES = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"

_INDEXES = "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"


@cache
def declared_objects(sets: tuple[MigrationSet, ...]) -> frozenset[str]:
    """The tables, views, indexes and triggers that the sets make, the kernel's own aside: those have their prefix."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.deserialize(as_rollback(prepared_database(sets)))
        names = frozenset(row[0] for row in connection.execute(_NAMES))
        return frozenset(name for name in names if not name.startswith("vaultry_"))
    finally:
        connection.close()


@cache
def declared_indexes(sets: tuple[MigrationSet, ...]) -> Mapping[str, tuple[str, str]]:
    """Table and statement of each index that the sets make, by name."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.deserialize(as_rollback(prepared_database(sets)))
        return {name: (table, sql) for name, table, sql in connection.execute(_INDEXES)}
    finally:
        connection.close()
