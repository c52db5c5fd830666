"""Whether the condition of a policy is one: a single expression that reads and does nothing else. Runs no row."""

import re
import secrets
import sqlite3
from itertools import count
from typing import Final

from db.errors import Invalid
from db.json_sql import identifier
from db.sql.rules import RESERVED_PREFIX
from db.transaction import ReadTx, Statement

MOST_CHARACTERS: Final = 4_000
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|(?P<bad>--|/\*|;|\?|['\"`\[])|(?P<sign>[()])|."
)
_VALUES: Final = {"scope": "", "principal_id": None, "now": ""}
_READS: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
# They open what is sealed, or reach files, code and the server's log.
_FUNCTIONS: Final = frozenset(
    {"personal_open", "personal_lookup", "personal_seal", "load_extension", "readfile", "writefile", "edit"}
    | {"fts3_tokenizer", "sqlite_log"}
)
_MARKS: Final = count(1)
_APART: Final = secrets.token_hex(8)


class _Reading:
    """The rules for a condition while SQLite compiles it."""

    def judge(self, action: int, first: str, second: str, database: str, trigger: str) -> int:
        """Allow what reads own tables."""
        if action not in _READS:
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_FUNCTION and second.lower() in _FUNCTIONS:
            return sqlite3.SQLITE_DENY
        own = database in ("", "main") and not first.lower().startswith((RESERVED_PREFIX, "sqlite_", "pragma_"))
        return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_READ and not own else sqlite3.SQLITE_OK


def check_condition(tx: ReadTx, table: str, where: str) -> None:
    """Raise Invalid (policies_invalid) for what is no expression over the table, or does more than read own tables."""
    reason = _form(where)
    if reason is None:
        connection, guard = tx.raw
        guard.rules = _Reading()
        try:
            connection.execute(_compiled(table, where), _VALUES).close()
        except sqlite3.Error as exc:
            reason = str(exc)
        finally:
            guard.rules = None
    if reason is not None:
        raise Invalid(f"{table}: the condition {where!r}: {reason}", code="policies_invalid", field=table)


def still_holds(tx: ReadTx, table: str, where: str) -> bool:
    """Whether a condition that was accepted before has a meaning in the schema as it is now."""
    try:
        tx.query(Statement(_compiled(table, where), _VALUES))
    except sqlite3.Error:
        return False
    return True


def _compiled(table: str, where: str) -> str:
    """The statement, as nobody wrote it before: one that is kept compiled is neither judged nor compiled again."""
    return f"EXPLAIN SELECT 1 FROM main.{identifier(table)} WHERE ({where}) /* {_APART}-{next(_MARKS)} */"


def _form(where: str) -> str | None:
    """What is wrong with the text, whatever the schema: it is put between parentheses, and must not get out of them."""
    if len(where) > MOST_CHARACTERS:
        return f"longer than {MOST_CHARACTERS} characters"
    depth = 0
    for token in _TOKEN.finditer(where.replace("\n", " ")):
        if token["bad"]:
            return f"wanted one expression without comments, `;`, `?` and open quotes; got {token['bad']}"
        depth += {"(": 1, ")": -1}.get(token["sign"] or "", 0)
        if depth < 0:
            break
    return None if depth == 0 and "\0" not in where else "the parentheses do not match"
