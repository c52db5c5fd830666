"""What a vault that was just made holds, as name and SQL. Knows migration sets; opens no vault."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import cache

from db.schema.migrate import MigrationSet
from db.vault.new_file import as_rollback, prepared_database

_NAMED = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"


@cache
def fresh_objects(sets: tuple[MigrationSet, ...]) -> Mapping[str, str]:
    """Every object of the schema that these steps make, by name."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(as_rollback(prepared_database(sets)))
        return dict(connection.execute(_NAMED).fetchall())
