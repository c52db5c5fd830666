"""What SQL may do on a vault's connections. Knows SQLite's authoriser; not who is asking.

SQLite asks while it compiles a statement. A cached statement is not asked about again, so the engine's own
transaction statements carry a random comment that no other text can equal.
"""

import secrets
import sqlite3
from typing import Final, Protocol

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
_DROPS: Final = frozenset({sqlite3.SQLITE_DROP_TABLE, sqlite3.SQLITE_DROP_VTABLE})
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
# Full-text search asks whether somebody else wrote.
_READABLE: Final = frozenset({"data_version", "schema_version"})
OPENS: Final = "personal_open"


# Tables that SQLite makes up: they show the statements of others, the engine's marked ones among them.
_HIDDEN: Final = frozenset({"sqlite_stmt", "bytecode", "tables_used"})


class ChangeAudit(Protocol):
    """The audit log as the guard asks it before a statement is compiled; False refuses the statement for now."""

    def on_change(self, table: str) -> bool:
        """The statement changes rows of the table."""
        ...

    def on_alter(self, table: str) -> bool:
        """It gives the table another shape or name."""
        ...

    def on_drop(self, table: str) -> bool:
        """It removes the table."""
        ...

    def watch(self) -> bool:
        """Make way for what was refused last; False: nothing was. The guard must be open."""
        ...

    def note_rows_of(self, table: str) -> None:
        """Note every row of a table that was made together with them."""
        ...

    def forget_shapes(self) -> None:
        """The schema changed: what is known of its tables may not hold."""
        ...


class Judge(Protocol):
    """Further rules, for statements of somebody who is not trusted with the vault's own tables."""

    def judge(self, action: int, first: str, second: str, database: str, trigger: str) -> int:
        """SQLITE_OK, SQLITE_DENY or SQLITE_IGNORE for one action, named as SQLite's authoriser does."""
        ...


class Guard:
    """The authoriser of one connection. `open` is true while the engine itself speaks.

    audit: of the writer. rules: set while SQL runs that is not ours; they decide in place of those for verbs.
    """

    def __init__(self, connection: sqlite3.Connection, audit: ChangeAudit | None = None) -> None:
        self.open = True
        # While set, personal values stay sealed; `unsealing` tells that a statement was refused for it.
        self.sealed = False
        self.unsealing = False
        self.audit = audit
        self.rules: Judge | None = None
        connection.set_authorizer(self._authorise)

    def _authorise(
        self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
    ) -> int:
        if self.open:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ and first in _HIDDEN:
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_FUNCTION and second == OPENS and self.sealed:
            self.unsealing = True
            return sqlite3.SQLITE_DENY
        if self.rules is not None:
            verdict = self.rules.judge(action, first or "", second or "", database or "", trigger or "")
            return self._audited(action, first, second, database) if verdict == sqlite3.SQLITE_OK else verdict
        if action == sqlite3.SQLITE_PRAGMA:
            asked = first in _PRAGMAS or (first in _READABLE and second is None)
            return sqlite3.SQLITE_OK if asked else sqlite3.SQLITE_DENY
        if action in _REFUSED or (action in _CHANGES and first in _ENGINE_WRITES):
            return sqlite3.SQLITE_DENY
        if action in _OF_TABLE and _is_kernel((first, second)[_OF_TABLE[action]]):
            return sqlite3.SQLITE_DENY
        if action in _CHANGES and database == "temp":
            # An insertion may be `CREATE TABLE temp.name`, which SQLite does not call temporary; an update of the
            # schema is its own work on ALTER TABLE, for it takes none from a caller.
            own = trigger is not None or (action == sqlite3.SQLITE_UPDATE and first in _TEMP_SCHEMA)
            return sqlite3.SQLITE_OK if own else sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_FUNCTION and second == "load_extension":
            return sqlite3.SQLITE_DENY
        return self._audited(action, first, second, database)

    def _audited(self, action: int, first: str | None, second: str | None, database: str | None) -> int:
        """Ask the audit log about a change of rows or tables."""
        if self.audit is None or first is None or database == "temp":
            return sqlite3.SQLITE_OK
        passes = True
        if action in _CHANGES:
            passes = self.audit.on_change(first)
        elif action == sqlite3.SQLITE_ALTER_TABLE:
            passes = self.audit.on_alter(second or "")
        elif action in _DROPS and self.rules is not None:
            # A verb drops nothing: that is for migrations, and for whoever brings the schema himself.
            passes = self.audit.on_drop(first)
        return sqlite3.SQLITE_OK if passes else sqlite3.SQLITE_DENY


def _is_kernel(table: str | None) -> bool:
    """Whether the table is one of the engine's own."""
    return table is not None and table.lower().startswith(_KERNEL_PREFIX)
