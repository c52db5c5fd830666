"""What SQL may do on a vault's connections. Knows SQLite's authoriser; not who is asking.

SQLite asks while it compiles a statement. A cached statement is not asked about again, so the engine's own
transaction statements carry a random comment that no other text can equal.
"""

import secrets
import sqlite3
from collections.abc import Callable
from typing import Final

_MARK: Final = f" /* {secrets.token_hex(8)} */"


def engine_only(sql: str) -> str:
    """The statement, marked: its cached form serves nobody who writes the same text."""
    return sql + _MARK


BEGIN: Final = engine_only("BEGIN IMMEDIATE")
BEGIN_READ: Final = engine_only("BEGIN")
COMMIT: Final = engine_only("COMMIT")
ROLLBACK: Final = engine_only("ROLLBACK")
SAVEPOINT: Final = engine_only("SAVEPOINT work")
RELEASE: Final = engine_only("RELEASE work")
ROLLBACK_WORK: Final = engine_only("ROLLBACK TO work")

_REFUSED: Final = frozenset(
    {
        sqlite3.SQLITE_ATTACH,
        sqlite3.SQLITE_DETACH,
        sqlite3.SQLITE_TRANSACTION,
        sqlite3.SQLITE_SAVEPOINT,
        sqlite3.SQLITE_CREATE_TEMP_INDEX,
        sqlite3.SQLITE_CREATE_TEMP_TABLE,
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
        sqlite3.SQLITE_CREATE_TEMP_VIEW,
        sqlite3.SQLITE_DROP_TEMP_INDEX,
        sqlite3.SQLITE_DROP_TEMP_TABLE,
        sqlite3.SQLITE_DROP_TEMP_TRIGGER,
        sqlite3.SQLITE_DROP_TEMP_VIEW,
    }
)
_CHANGES: Final = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
# Changes of the schema that could take a table's protection away, and whether SQLite names the table first or second.
_OF_TABLE: Final = {
    sqlite3.SQLITE_DROP_TABLE: 0,
    sqlite3.SQLITE_ALTER_TABLE: 1,
    sqlite3.SQLITE_CREATE_TRIGGER: 1,
    sqlite3.SQLITE_DROP_TRIGGER: 1,
}
_TEMP_SCHEMA: Final = frozenset({"sqlite_temp_master", "sqlite_temp_schema"})
_KERNEL_PREFIX: Final = "vaultry_"
# Only the engine adds to the audit log and to the ledger of migrations.
_ENGINE_WRITES: Final = frozenset(
    {"vaultry_audit", "vaultry_audit_imported", "vaultry_audit_sections", "vaultry_migrations"}
)
# Questions only: none of these keeps state on the connection.
_PRAGMAS: Final = frozenset(
    {
        "foreign_key_check",
        "foreign_key_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "integrity_check",
        "quick_check",
        "table_info",
        "table_list",
        "table_xinfo",
    }
)
_READABLE: Final = frozenset({"schema_version"})
_OPENS: Final = "personal_open"


class Guard:
    """The authoriser of one connection. `open` is true while the engine itself speaks.

    on_change: asked before a statement that changes a table is compiled; False refuses it for now.
    on_alter: asked before a statement that gives a table another shape or name is compiled; False as above.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        on_change: Callable[[str], bool] | None = None,
        on_alter: Callable[[str], bool] | None = None,
    ) -> None:
        self.open = True
        # While set, personal values stay sealed; `unsealing` tells that a statement was refused for it.
        self.sealed = False
        self.unsealing = False
        self._on_change = on_change
        self._on_alter = on_alter
        connection.set_authorizer(self._authorise)

    def _authorise(
        self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
    ) -> int:
        if self.open:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA:
            asked = first in _PRAGMAS or (first in _READABLE and second is None)
            return sqlite3.SQLITE_OK if asked else sqlite3.SQLITE_DENY
        if action in _REFUSED or (action in _CHANGES and first in _ENGINE_WRITES):
            return sqlite3.SQLITE_DENY
        if action in _OF_TABLE:
            return self._authorise_schema(action, (first, second)[_OF_TABLE[action]] or "")
        if action in _CHANGES and database == "temp":
            # An insertion may be `CREATE TABLE temp.name`, which SQLite does not call temporary; an update of the
            # schema is its own work on ALTER TABLE, for it takes none from a caller.
            own = trigger is not None or (action == sqlite3.SQLITE_UPDATE and first in _TEMP_SCHEMA)
            return sqlite3.SQLITE_OK if own else sqlite3.SQLITE_DENY
        if action in _CHANGES and self._on_change is not None and first is not None:
            return sqlite3.SQLITE_OK if self._on_change(first) else sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_FUNCTION and second == "load_extension":
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_FUNCTION and second == _OPENS and self.sealed:
            self.unsealing = True
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    def _authorise_schema(self, action: int, table: str) -> int:
        if table.startswith(_KERNEL_PREFIX):
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_ALTER_TABLE and self._on_alter is not None and not self._on_alter(table):
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK
