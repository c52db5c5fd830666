"""`sqlite_master` as tools are to see it: without the engine's own tables, which they would take for theirs.

Tools that compare a schema with a database (drizzle-kit, for one) offer to drop every table they find there and do not
know. In a query the name stands for a view of the same length, so that places in messages stay right. `sqlite_schema`
and `main.sqlite_master` show everything. Nothing here protects anything: the rules do.
"""

import re
import sqlite3
from typing import Final

from db.vault.guard import engine_only

NAMES: Final = "vaultry_names"
_QUERY = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:select|with)\b", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(
    r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|(?<![.\w$])(?P<open>[\"`\[]?)(?P<name>sqlite_master)(?P<close>[\"`\]]?)(?![\w$])",
    re.IGNORECASE | re.DOTALL,
)
# The two views say who may sign in; every vault has them.
_MAKE = engine_only(rf"""
CREATE TEMP VIEW {NAMES} AS SELECT type, name, tbl_name, rootpage, sql FROM main.sqlite_schema
 WHERE tbl_name NOT LIKE 'vaultry\_%' ESCAPE '\' AND NOT (type = 'view' AND name IN ('principals', 'grants'))
""")
_DROP = engine_only(f"DROP VIEW IF EXISTS temp.{NAMES}")


def names_own(sql: str) -> bool:
    """Whether the statement is a query that may name `sqlite_master`."""
    return "sqlite_master" in sql.lower() and _QUERY.match(sql) is not None


def with_own_names(sql: str) -> str:
    """The query with the view in place of `sqlite_master`."""
    return _NAME.sub(
        lambda found: f"{found['open']}{NAMES}{found['close']}" if found["name"] is not None else found[0], sql
    )


def make_names(connection: sqlite3.Connection) -> None:
    """Make the view, for the length of a call."""
    connection.execute(_MAKE)


def drop_names(connection: sqlite3.Connection) -> None:
    """Take the view away again."""
    connection.execute(_DROP)
