"""Where a vault's schema stands: the last step of each set, and a digest of what they made. Knows one database.

Two vaults with the same steps have the same digest, unless somebody changed the schema of one by hand: that is drift.
"""

import hashlib
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from db.schema.hold import SchemaHold, read_hold
from db.schema.migrate import MigrationSet, Step, read_ledger
from db.vault.new_file import as_rollback, prepared_database

# Without what SQLite keeps for itself: statistics come and go with maintenance.
_OBJECTS = """
SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
 WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, name
"""
# What stands between quotes, or is no more than space and comment.
_PARTS = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\])|(?:\s|--[^\n]*|/\*.*?\*/)+""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SchemaState:
    """numbers: last step of each set. digest: 64 hex digits, of the normalised schema. hold: on the schema, or None."""

    numbers: Mapping[str, int]
    digest: str
    hold: SchemaHold | None = None


def read_schema_state(connection: sqlite3.Connection) -> SchemaState:
    """Where this database stands."""
    return SchemaState(newest_numbers(connection), schema_digest(connection), read_hold(connection))


def newest_numbers(connection: sqlite3.Connection) -> dict[str, int]:
    """The last step of each set, by the ledger."""
    return {name: number for name, number, _ in read_ledger(connection)}


_HAS_APPLIED_TO = "SELECT 1 FROM pragma_table_info('vaultry_migrations') WHERE name = 'applied_to'"
_APPLIED_TO = "SELECT set_name, number, applied_at, applied_to FROM vaultry_migrations"


def bookmark_before(connection: sqlite3.Connection, numbers: Mapping[str, int]) -> str | None:
    """The bookmark right before the first step beyond these numbers; None without one, or when it was not noted."""
    return _first([row for row in _applied(connection) if row[1] > numbers.get(row[0], 0)])


@dataclass(frozen=True, slots=True)
class LastSteps:
    """The steps that were applied together last. applied_at: UTC. bookmark: right before them, None = not noted.

    numbers: last step of each set there.
    """

    applied_at: str
    bookmark: str | None
    numbers: Mapping[str, int]


def last_steps(connection: sqlite3.Connection) -> LastSteps | None:
    """Those of this vault; None when it does not note yet where a step was applied."""
    rows = _applied(connection)
    if not rows:
        return None
    newest = max(row[2] for row in rows)
    numbers: dict[str, int] = {}
    for name, number, applied_at, _ in rows:
        if applied_at < newest:
            numbers[name] = max(number, numbers.get(name, 0))
    return LastSteps(newest, _first([row for row in rows if row[2] == newest]), numbers)


def _applied(connection: sqlite3.Connection) -> list[Any]:
    """The ledger; nothing for a vault that does not note yet where a step was applied."""
    noted = connection.execute(_HAS_APPLIED_TO).fetchone() is not None
    return connection.execute(_APPLIED_TO).fetchall() if noted else []


def _first(rows: Sequence[Sequence[Any]]) -> str | None:
    """The earliest bookmark of ledger rows: as text they sort by commit."""
    bookmarks = [row[3] for row in rows]
    return None if not bookmarks or None in bookmarks else min(bookmarks)


def schema_digest(connection: sqlite3.Connection) -> str:
    """SHA-256 over every object of the schema in order of kind and name; layout and comments do not count."""
    digest = hashlib.sha256()
    for row in connection.execute(_OBJECTS):
        digest.update("\0".join((row[0], row[1], row[2], normalised(row[3]))).encode() + b"\1")
    return digest.hexdigest()


# The same few hundred statements in every vault of a charter.
@lru_cache(maxsize=4096)
def normalised(sql: str) -> str:
    """The statement with one space for each stretch of blanks and comments; what is quoted stays as it is."""
    return _PARTS.sub(lambda match: match[1] or " ", sql).strip()


@cache
def expected_digest(sets: tuple[MigrationSet, ...], numbers: tuple[tuple[str, int], ...]) -> str | None:
    """The digest of a vault that had exactly these (set, number) steps of ours; None when they go beyond ours."""
    cut = cut_sets(sets, dict(numbers))
    if {known.name: len(known.steps) for known in cut} != dict(numbers):
        return None
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.deserialize(as_rollback(prepared_database(cut)))
        return schema_digest(connection)
    finally:
        connection.close()


def cut_sets(sets: Sequence[MigrationSet], numbers: Mapping[str, int]) -> tuple[MigrationSet, ...]:
    """The sets as they were when these were their last steps; a set that is not named did not exist."""
    kept = ((known.name, known.steps[: numbers[known.name]]) for known in sets if known.name in numbers)
    return tuple(MigrationSet(name, steps) for name, steps in kept if steps)


def step_after(sets: Sequence[MigrationSet], numbers: Mapping[str, int]) -> Step | None:
    """The first step a vault with these numbers lacks, or None."""
    lacked = (step for known in sets for step in known.steps[numbers.get(known.name, 0) :])
    return next(lacked, None)
