"""The tables of an own schema as REST reaches them: what is declared, and what SQLite says. Knows no caller."""

from collections.abc import Mapping
from typing import Final

from db.fields import Field
from db.policies.column_value import ColumnValue, JsonValue
from db.policies.conditions import still_holds
from db.policies.declared import OWNER, Declared, DeclaredTable
from db.resources import Policy, Resource, Supply
from db.schema.schema import Column, Schema, Table
from db.sql.rules import RESERVED_PREFIX
from db.transaction import ReadTx

_OWNER: Final = Policy(OWNER, "1")


def own_resources(
    tx: ReadTx, schema: Schema, declared: Declared, supplies: Mapping[str, Supply]
) -> tuple[Resource, ...]:
    """Every table that is not the engine's. What is not declared is open to the owner only.

    A policy whose condition the schema gives no meaning any more allows nothing.
    """
    return tuple(
        _resource(tx, table, declared.tables.get(table.name, DeclaredTable(table.name, {})), supplies)
        for table in schema.tables.values()
        if not table.name.lower().startswith(RESERVED_PREFIX)
    )


def broken_policies(tx: ReadTx, schema: Schema, declared: Declared) -> list[str]:
    """What is declared and has no meaning in this schema: one line each."""
    lines: list[str] = []
    for name, said in declared.tables.items():
        table = schema.tables.get(name)
        if table is None:
            lines.append(f"{name}: no such table")
            continue
        lines += [f"{name}: no column {column}" for column in said.columns if table.column(column) is None]
        lines += [
            f"{name}: {operation}: the condition {policy.where!r} has no meaning"
            for operation, policies in said.policies.items()
            for policy in policies
            if not still_holds(tx, name, policy.where)
        ]
    return lines


def _resource(tx: ReadTx, table: Table, said: DeclaredTable, supplies: Mapping[str, Supply]) -> Resource:
    def allowed(operation: str) -> tuple[Policy, ...]:
        stated = said.policies.get(operation, ())
        return (_OWNER, *(policy for policy in stated if still_holds(tx, table.name, policy.where)))

    supplied = {name: supplies[word] for name, word in said.supplied.items() if word in supplies}
    touched = {name: supplies[word] for name, word in said.touched.items() if word in supplies}
    return Resource(
        table.name,
        read=allowed("read"),
        insert=allowed("insert"),
        update=allowed("update"),
        delete=allowed("delete"),
        fields=_fields(table, said),
        supplied={name: supply for name, supply in supplied.items() if table.column(name)},
        touched={name: supply for name, supply in touched.items() if table.column(name)},
        hidden=said.hidden,
        json=said.json,
    )


def _fields(table: Table, said: DeclaredTable) -> dict[str, Field]:
    """The columns that a client may write. Unless they are named: not those that the server fills in."""
    filled = {*said.supplied, *said.touched}
    return {
        column.name: _rule(table, column, said, required=column.name not in filled)
        for column in table.columns
        if not column.generated
        and column.name not in said.hidden
        and (column.name in said.fields if said.fields is not None else column.name not in filled)
    }


def _rule(table: Table, column: Column, said: DeclaredTable, *, required: bool) -> Field:
    numbered = table.primary_key == (column.name,) and column.declared_type == "INTEGER"
    needed = required and column.not_null and column.default_sql is None and not numbered
    return JsonValue(needed) if column.name in said.json else ColumnValue(column.affinity, needed)
