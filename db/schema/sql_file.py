"""`schema.sql`: what the migrations make, as one text for people to read. Knows migration sets; no charter by name."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from db.schema.migrate import MigrationSet
from db.sql.splitting import split_statements
from db.vault.new_file import as_rollback, prepared_database

_RULE = "-- " + "=" * 117
_CREATES = re.compile(
    r"((?:^--[^\n]*\n)*)^CREATE\s+(?:UNIQUE\s+)?(TABLE|VIEW|INDEX|TRIGGER)\s+\"?(\w+)", re.IGNORECASE | re.MULTILINE
)
_NO_KEYS = "-- foreign_keys: off\n"
_OBJECTS = """
SELECT type, name, tbl_name, sql FROM sqlite_schema
 WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid
"""


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of database. sets: applied in order. shown_elsewhere: those of them that have a section of their own."""

    title: str
    sets: tuple[MigrationSet, ...]
    shown_elsewhere: tuple[MigrationSet, ...] = ()


@dataclass(frozen=True, slots=True)
class _Object:
    kind: str
    name: str
    table: str
    sql: str


def schema_text(introduction: str, sections: Sequence[Section]) -> str:
    """The whole file: a heading per section, each table with its indexes and triggers, then the views.

    introduction: comment lines without their dashes. Comments that stand right above a statement in a migration stay.
    """
    opening = "".join(f"-- {line}\n" for line in introduction.splitlines())
    return opening + "".join(_section_text(section) for section in sections)


def _section_text(section: Section) -> str:
    shown = _objects(section.sets)
    if section.shown_elsewhere:
        known = set(_objects(section.shown_elsewhere))
        shown = [found for found in shown if found not in known]
    comments = _comments(section.sets)
    steps = [str(step) for known in section.sets if known not in section.shown_elsewhere for step in known.steps]
    parts = [f"\n\n{_RULE}\n-- {section.title}: {steps[0]} to {steps[-1]}\n{_RULE}\n"]
    parts += [_object_text(found, comments) for found in _by_table(shown)]
    return "".join(parts)


def _by_table(objects: Sequence[_Object]) -> Iterator[_Object]:
    """Tables in the order they were made, then views, each followed by its indexes and triggers."""
    for kind in ("table", "view"):
        for owner in (found for found in objects if found.kind == kind):
            yield owner
            yield from (found for found in objects if found.table == owner.name and found is not owner)
    owners = {found.name for found in objects if found.kind in ("table", "view")}
    yield from (found for found in objects if found.table not in owners)


def _object_text(found: _Object, comments: dict[tuple[str, str], str]) -> str:
    comment = comments.get((found.kind, found.name), "")
    apart = "\n" if comment or found.kind != "index" else ""
    return f"{apart}{comment}{found.sql};\n"


def _objects(sets: tuple[MigrationSet, ...]) -> list[_Object]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.deserialize(as_rollback(prepared_database(sets)))
        return [_Object(*row) for row in connection.execute(_OBJECTS)]
    finally:
        connection.close()


def _comments(sets: tuple[MigrationSet, ...]) -> dict[tuple[str, str], str]:
    """The comment lines right above the statement that made each object last, by its kind and name."""
    comments: dict[tuple[str, str], str] = {}
    for statement in (text for known in sets for step in known.steps for text in split_statements(step.sql)):
        made = _CREATES.search(statement)
        if made is not None:
            comments[made[2].lower(), made[3]] = made[1].replace(_NO_KEYS, "")
    return comments
