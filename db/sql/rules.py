"""What SQL that somebody sent may do to a vault: the list SQLite's authoriser asks. Knows names and actions.

The judge also sees what a statement is about to do, which its text does not tell: whether it writes at all, which
tables it changes itself, whether it touches the schema.
"""

import sqlite3
from collections.abc import Callable
from typing import Final

from db.sql.own_names import NAMES

RESERVED_PREFIX: Final = "vaultry_"
_OK, _DENY, _IGNORE = sqlite3.SQLITE_OK, sqlite3.SQLITE_DENY, sqlite3.SQLITE_IGNORE
_CHANGES: Final = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_TRANSACTIONS: Final = frozenset({sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT})
_REFUSED: Final = frozenset(
    {
        sqlite3.SQLITE_ATTACH,
        sqlite3.SQLITE_DETACH,
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
_SCHEMA: Final = frozenset(
    {
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_CREATE_VIEW,
        sqlite3.SQLITE_CREATE_VTABLE,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_TRIGGER,
        sqlite3.SQLITE_DROP_VIEW,
        sqlite3.SQLITE_DROP_VTABLE,
        sqlite3.SQLITE_ALTER_TABLE,
    }
)
_UPKEEP: Final = frozenset({sqlite3.SQLITE_ANALYZE, sqlite3.SQLITE_REINDEX})
# Of these SQLite names the table second: ALTER TABLE names the database first, the others their own object.
_TABLE_SECOND: Final = frozenset(
    {
        sqlite3.SQLITE_ALTER_TABLE,
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_TRIGGER,
    }
)
_ASKING: Final = frozenset(
    {
        "data_version",
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
# Set for the rest of the call, and put back after it.
SETTABLE: Final = frozenset(
    {
        "case_sensitive_like",
        "defer_foreign_keys",
        "ignore_check_constraints",
        "legacy_alter_table",
        "reverse_unordered_selects",
    }
)
# May be set, to no effect: without them rows would change past their constraints, or past the audit log.
_FIXED: Final = frozenset({"foreign_keys", "recursive_triggers"})
# They reach files, code or the server's log.
_FUNCTIONS: Final = frozenset({"edit", "fts3_tokenizer", "load_extension", "readfile", "sqlite_log", "writefile"})
_MODULES: Final = frozenset({"fts5", "fts5vocab"})
# Tables SQLite makes up from the state of the file or of the process.
_MADE_UP: Final = frozenset({"bytecode", "dbstat", "fsdir", "sqlite_dbpage", "sqlite_stmt", "tables_used", "zipfile"})
_MAIN_SCHEMA: Final = frozenset({"sqlite_master", "sqlite_schema"})
_TEMP_SCHEMA: Final = frozenset({"sqlite_temp_master", "sqlite_temp_schema"})
_TEMP_TABLES: Final = _TEMP_SCHEMA | {NAMES}


class SqlRules:
    """The rules for one call, and what was seen of the statement it is at.

    writes: whether anything may be changed. protected: names of the charter's tables, views, indexes and triggers.
    """

    def __init__(self, *, writes: bool, protected: Callable[[], frozenset[str]]) -> None:
        self.writes = writes
        self._protected = protected
        # The statement only says what it would do: EXPLAIN.
        self.explains = False
        # Virtual tables and the tables they keep their content in, as the schema has them now.
        self.virtual: frozenset[str] = frozenset()
        self.shadow: frozenset[str] = frozenset()
        self.begin()

    def begin(self) -> None:
        """A new statement is about to be compiled."""
        # Refused because it would write; because it is BEGIN, COMMIT or the like.
        self.wants_write = False
        self.is_transaction = False
        # What of a virtual table's own tables it would do, in SQLite's words.
        self.inner = ""
        self.inserts: list[str] = []
        self.changes: list[str] = []
        self.made: list[str] = []
        self.objects: list[str] = []
        self.alters_schema = False
        self.defers_keys = False
        self._through_virtual = False

    def judge(self, action: int, first: str, second: str, database: str, trigger: str) -> int:
        """As SQLite's authoriser: SQLITE_OK, SQLITE_DENY, or SQLITE_IGNORE for a PRAGMA that is to do nothing."""
        if action == sqlite3.SQLITE_READ:
            hidden = first in _MADE_UP or (database == "temp" and first not in _TEMP_TABLES and not trigger)
            return _DENY if hidden else _OK
        if action == sqlite3.SQLITE_FUNCTION:
            return _DENY if second.lower() in _FUNCTIONS else _OK
        if action == sqlite3.SQLITE_PRAGMA:
            return self._pragma(first.lower(), second)
        if action in _TRANSACTIONS:
            self.is_transaction = True
            return _DENY
        if action in _REFUSED:
            return _DENY
        if action in _CHANGES and database == "main" and first in _MAIN_SCHEMA:
            return _OK  # part of a change that is judged by its own name; SQLite takes none from a caller
        if action in _CHANGES or action in _SCHEMA or action in _UPKEEP:
            if self.explains:
                return _OK
            if not self.writes:
                self.wants_write = True
                return _DENY
            if action in _CHANGES:
                return self._change(action, first, database, trigger)
            return self._schema(action, first, second) if action in _SCHEMA else _OK
        return _OK

    def _pragma(self, name: str, value: str) -> int:
        if name in _ASKING:
            return _OK
        if name == "optimize":
            self.wants_write = not self.writes
            return _OK if self.writes else _DENY
        if name in _FIXED:
            return _IGNORE if value else _OK
        if name not in SETTABLE:
            return _DENY
        if value and name == "ignore_check_constraints" and self._protected():
            return _DENY
        self.defers_keys |= bool(value) and name == "defer_foreign_keys"
        return _OK

    def _change(self, action: int, table: str, database: str, trigger: str) -> int:
        if database == "temp":
            # CREATE TABLE temp.name looks like an insertion; the audit log's triggers and ALTER TABLE may.
            own = trigger or (action == sqlite3.SQLITE_UPDATE and table in _TEMP_SCHEMA)
            return _OK if own else _DENY
        if _is_reserved(table) and not (_is_reserved(trigger) or trigger in self._protected()):
            return _DENY
        if table in self.virtual:
            self._through_virtual = True
        if table in self.shadow and not self._through_virtual:
            self.inner = f"{table} may not be modified"
            return _DENY
        if not trigger and table not in self.changes:
            self.changes.append(table)
        if not trigger and action == sqlite3.SQLITE_INSERT:
            self.inserts.append(table)
        return _OK

    def _schema(self, action: int, first: str, second: str) -> int:
        table = second if action in _TABLE_SECOND else first
        if _is_reserved(first) or _is_reserved(table):
            return _DENY
        # An index of one's own on a charter's table changes what nobody reads; a trigger would run inside its verbs.
        if (
            action != sqlite3.SQLITE_CREATE_INDEX
            and not {first, table}.isdisjoint(self._protected())
            and not (action == sqlite3.SQLITE_DROP_INDEX and first not in self._protected())
        ):
            return _DENY
        if action == sqlite3.SQLITE_CREATE_VTABLE and second.lower() not in _MODULES:
            return _DENY
        if action in (sqlite3.SQLITE_CREATE_VTABLE, sqlite3.SQLITE_DROP_VTABLE) or table in self.virtual:
            self._through_virtual = True
        if table in self.shadow and not self._through_virtual:
            self.inner = f"{table} may not be {'dropped' if action == sqlite3.SQLITE_DROP_TABLE else 'altered'}"
            return _DENY
        if table.startswith("sqlite_"):
            return _OK  # statistics, made by ANALYZE
        self.alters_schema = True
        self.objects.append(table)
        if action == sqlite3.SQLITE_CREATE_TABLE and not self._through_virtual:
            self.made.append(first)
        return _OK


def _is_reserved(name: str) -> bool:
    return name.lower().startswith(RESERVED_PREFIX)
