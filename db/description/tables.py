"""Tables as one caller may use them: columns, what can be written, what they refer to. Knows policies; no document."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from db.description.declared_values import NO_LIMITS, DeclaredValues
from db.description.notes import Notes
from db.fields import Day, Field, Instant
from db.principal import Principal
from db.resources import Resource
from db.rest.visibility import is_open, visible_table
from db.schema.schema import Column, Schema, Table

__all__ = ["DescribedColumn", "DescribedTable", "Facts", "Reference", "describe_tables"]

_KINDS = {"plain": "", "bytes": "bytes", "real": "real", "json": "json", "document": "json", "flag": "flag"}
_AFFINITIES = {"INTEGER": "integer", "TEXT": "text", "ANY": "any"}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Facts(NamedTuple):
    """What is described. values: by table and column. notes: what the migrations say."""

    schema: Schema
    values: Mapping[str, Mapping[str, DeclaredValues]]
    notes: Notes


class Reference(NamedTuple):
    """A foreign key to another described table. to_one_back: whether at most one row refers to a row there."""

    name: str
    columns: tuple[str, ...]
    table: str
    parent_columns: tuple[str, ...]
    to_one_back: bool


class DescribedColumn(NamedTuple):
    """One column. kind: text, integer, real, bytes (as hex digits), json or any. form: date-time, date or ''.

    nullable: whether null can come out, which a mask may make of any value. choices: its only values besides null.
    default: a literal, None where there is none or it is computed. rule: of what a client writes, None for nothing.
    """

    name: str
    kind: str
    nullable: bool
    form: str = ""
    choices: tuple[str | int, ...] = ()
    default: str | int | float | None = None
    note: str = ""
    rule: Field | None = None


class DescribedTable(NamedTuple):
    """One table. key: its visible primary key. inserts, updates, deletes: whether some policy lets the caller do so.

    given: fields of an insert, by name. changed: fields of an update. Empty where the caller has no such right.
    """

    name: str
    note: str
    columns: tuple[DescribedColumn, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...]
    inserts: bool
    updates: bool
    deletes: bool
    given: Mapping[str, Field]
    changed: Mapping[str, Field]

    def column(self, name: str) -> DescribedColumn | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


def describe_tables(
    facts: Facts, resources: Mapping[str, Resource], principal: Principal, *, read_only: bool = False
) -> tuple[DescribedTable, ...]:
    """The tables of which the caller may be shown some row, by name. read_only: a token that must not write."""
    shown = {
        name: resource
        for name, resource in resources.items()
        if name in facts.schema.tables and is_open(resource.read, principal)
    }
    return tuple(_described(facts, shown, shown[name], principal, read_only=read_only) for name in sorted(shown))


def _described(
    facts: Facts, shown: Mapping[str, Resource], resource: Resource, principal: Principal, *, read_only: bool
) -> DescribedTable:
    table = facts.schema.tables[resource.table]
    visible = visible_table(table, resource, principal)
    values = facts.values.get(table.name, {})
    columns = tuple(
        _column(table, declared, resource, seen.kind, values.get(name, NO_LIMITS), facts.notes)
        for name, seen in visible.columns.items()
        if (declared := table.column(name)) is not None
    )
    writes = not read_only and bool(visible.key)
    inserts = writes and is_open(resource.insert, principal)
    updates = writes and is_open(resource.update, principal)
    return DescribedTable(
        table.name,
        _note(facts.notes.tables.get(table.name, ""), resource),
        columns,
        visible.key,
        _references(facts.schema, shown, table, resource),
        inserts,
        updates,
        writes and is_open(resource.delete, principal),
        resource.fields if inserts else {},
        {name: rule for name, rule in resource.fields.items() if name not in resource.fixed} if updates else {},
    )


def _column(
    table: Table, column: Column, resource: Resource, shown_as: str, values: DeclaredValues, notes: Notes
) -> DescribedColumn:
    rule = resource.fields.get(column.name)
    sealed = column.name in resource.personal
    kind = _KINDS[shown_as] or ("text" if sealed else _AFFINITIES.get(column.affinity, "any"))
    if column.affinity == "NUMERIC" and not sealed:
        kind = "any"  # such as DATETIME, which is text as often as a number
    needed = column.not_null or (column.pk_position > 0 and (table.strict or table.without_rowid))
    return DescribedColumn(
        column.name,
        kind,
        not needed or column.name in resource.masks,
        values.form or _form(rule),
        values.choices,
        _default(column.default_sql),
        notes.columns.get((table.name, column.name), ""),
        rule,
    )


def _note(note: str, resource: Resource) -> str:
    """What is said of a table, unless it is about columns that clients do not see as they are stored."""
    words = set(re.findall(r"\w+", note))
    return "" if words & (resource.hidden | resource.personal) else note


def _form(rule: Field | None) -> str:
    return "date-time" if isinstance(rule, Instant) else "date" if isinstance(rule, Day) else ""


def _default(sql: str | None) -> str | int | float | None:
    """The value of a default that is a literal."""
    if sql is None or _NUMBER.fullmatch(sql):
        return None if sql is None else float(sql) if "." in sql else int(sql)
    quoted = re.fullmatch(r"'((?:[^']|'')*)'", sql)
    return quoted[1].replace("''", "'") if quoted else None


def _references(
    schema: Schema, shown: Mapping[str, Resource], table: Table, resource: Resource
) -> tuple[Reference, ...]:
    """The foreign keys over visible columns to tables that are described too."""
    return tuple(
        Reference(
            f"{table.name}_{'_'.join(key.columns)}_fkey",
            key.columns,
            key.parent_table,
            key.parent_columns,
            any(set(unique) <= set(key.columns) for unique in table.keys),
        )
        for key in schema.tables[table.name].foreign_keys
        if key.parent_columns
        and (parent := shown.get(key.parent_table)) is not None
        and resource.hidden.isdisjoint(key.columns)
        and parent.hidden.isdisjoint(key.parent_columns)
    )
