"""What a statement of a write call did: rows, entries of indexes, the schema. Asks SQLite; the guard must be open."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from db.sql.rules import SqlRules
from db.vault.guard import engine_only

_VERSION = engine_only("PRAGMA schema_version")
_VIRTUAL = engine_only("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND rootpage = 0")
_SHADOW = engine_only("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'")
# No LIKE: whoever calls may have changed what it means.
_RESERVED = engine_only("SELECT count(*) FROM main.sqlite_schema WHERE lower(name) GLOB 'vaultry_*'")
_CHANGES = engine_only("SELECT changes()")
_LAST_ROW_ID = engine_only("SELECT last_insert_rowid()")
# The primary key of a table without row ids is the table itself.
_INDEXES = engine_only("""
SELECT count(*) FROM pragma_index_list(?1) AS i
 WHERE i.origin <> 'pk' OR NOT EXISTS (SELECT 1 FROM pragma_table_list AS t WHERE t.name = ?1 AND t.wr)
""")
_WITHOUT_ROWID = engine_only("SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND name = ? AND wr")


@dataclass(frozen=True, slots=True)
class Written:
    """What a statement wrote.

    changed: rows it changed itself. entries: those, and as many entries of each index of their table. schema: objects
    came, went or changed. unseen: rows changed that no trigger can see. inserted: the table it inserted into, or ''.
    """

    changed: int = 0
    entries: int = 0
    schema: bool = False
    unseen: bool = False
    inserted: str = ""


class SchemaFacts:
    """What is known of the schema during one call."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version = -1
        self._reserved = 0
        self._indexes: dict[str, int] = {}

    def look(self, rules: SqlRules) -> None:
        """Before a statement: tell the rules which tables are virtual, and which hold the content of those."""
        version = self.value(_VERSION)
        if version == self._version:
            return
        self._version = version
        self._indexes.clear()
        self._reserved = self.value(_RESERVED)
        rules.virtual = self._names(_VIRTUAL)
        rules.shadow = self._names(_SHADOW) if rules.virtual else frozenset()

    def took_reserved_name(self) -> bool:
        """Whether an object got a name with the engine's own prefix since `look`: ALTER TABLE tells no new name."""
        return bool(self.value(_RESERVED) != self._reserved)

    def written(self, rules: SqlRules, changes: int) -> Written:
        """What the statement wrote, as far as the rules saw it. changes: rows changed in all, by triggers too."""
        if rules.alters_schema:
            schema = bool(self.value(_VERSION) != self._version)
            return Written(entries=1 + changes if schema else 0, schema=schema)
        if not changes or not rules.changes:
            return Written()
        table, changed = rules.changes[0], int(self.value(_CHANGES))
        bare = table in rules.virtual and f"{table}_content" not in rules.shadow
        return Written(
            changed=changed,
            entries=changed * (1 + self._index_count(table)),
            unseen=bare or table == "sqlite_sequence",
            inserted=table if table in rules.inserts and changed else "",
        )

    def last_row_id(self, written: Written, before: int) -> int:
        """The number of the row inserted last; the one before if this statement inserted none that has one."""
        if not written.inserted or self.value(_WITHOUT_ROWID, written.inserted):
            return before
        return int(self.value(_LAST_ROW_ID))

    def value(self, sql: str, *values: str) -> Any:
        """The first column of the first row, or None. sql: a constant of ours."""
        row = self._connection.cursor().execute(sql, values).fetchone()
        return None if row is None else row[0]

    def _index_count(self, table: str) -> int:
        if table not in self._indexes:
            self._indexes[table] = int(self.value(_INDEXES, table))
        return self._indexes[table]

    def _names(self, sql: str) -> frozenset[str]:
        return frozenset(row[0] for row in self._connection.cursor().execute(sql))
