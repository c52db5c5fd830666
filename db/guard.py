"""What SQL may do on a vault's connections. Knows SQLite's authoriser; not who is asking.

SQLite asks while it compiles a statement. A cached statement is not asked about again, so the engine's own
transaction statements carry a random comment that no other text can equal.
"""

import secrets
import sqlite3
from collections.abc import Callable
from typing import Final

_MARK: Final = f"/* {secrets.token_hex(8)} */"
BEGIN: Final = f"BEGIN IMMEDIATE {_MARK}"
BEGIN_READ: Final = f"BEGIN {_MARK}"
COMMIT: Final = f"COMMIT {_MARK}"
ROLLBACK: Final = f"ROLLBACK {_MARK}"
SAVEPOINT: Final = f"SAVEPOINT work {_MARK}"
RELEASE: Final = f"RELEASE work {_MARK}"
ROLLBACK_WORK: Final = f"ROLLBACK TO work {_MARK}"

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


class Guard:
    """The authoriser of one connection. `open` is true while the engine itself speaks.

    on_change: asked before a statement that changes a table is compiled; False refuses it for now.
    """

    def __init__(self, connection: sqlite3.Connection, on_change: Callable[[str], bool] | None = None) -> None:
        self.open = True
        self._on_change = on_change
        connection.set_authorizer(self._authorise)

    def _authorise(
        self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
    ) -> int:
        if self.open:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA:
            asked = first in _PRAGMAS or (first in _READABLE and second is None)
            return sqlite3.SQLITE_OK if asked else sqlite3.SQLITE_DENY
        if action in _REFUSED:
            return sqlite3.SQLITE_DENY
        if action in _CHANGES and self._on_change is not None and first is not None:
            if database == "temp":
                return sqlite3.SQLITE_OK if trigger is not None else sqlite3.SQLITE_DENY
            return sqlite3.SQLITE_OK if self._on_change(first) else sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_FUNCTION and second == "load_extension":
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK
