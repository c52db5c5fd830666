"""Rows that name what they refer to: `work_id.title` in place of an id. For imports; knows no file format."""

import json
from collections.abc import Mapping
from typing import Any

from db.clock import Moment
from db.errors import Invalid
from db.principal import Principal
from db.resources import Resource
from db.rest.request import ReadRequest, parse_request
from db.rest.run import read
from db.schema.schema import Schema
from db.transaction import ReadTx

__all__ = ["resolve_references"]


def resolve_references(
    tx: ReadTx,
    principal: Principal,
    resources: Mapping[str, Resource],
    schema: Schema,
    table: str,
    row: Mapping[str, Any],
    now: Moment,
) -> dict[str, Any]:
    """The row with each group of `column.name` keys replaced by the id of the one row they describe.

    column: a foreign key of `table` over one column. Only rows the caller may see are looked among.
    Raises Invalid when no row, or more than one, fits.
    """
    resolved: dict[str, Any] = {}
    wanted: dict[str, dict[str, Any]] = {}
    for name, value in row.items():
        column, dot, described = name.partition(".")
        if dot:
            wanted.setdefault(column, {})[described] = value
        else:
            resolved[name] = value
    for column, description in wanted.items():
        resolved[column] = _find(tx, principal, resources, schema, _parent(schema, table, column), description, now)
    return resolved


def _parent(schema: Schema, table: str, column: str) -> tuple[str, str]:
    """The table a column refers to, and the column there."""
    known = schema.tables.get(table)
    for key in known.foreign_keys if known else ():
        if key.columns == (column,):
            return key.parent_table, key.parent_columns[0]
    raise Invalid(f"{column}: not a reference of {table}; a name with a dot looks one up", field=column)


def _find(
    tx: ReadTx,
    principal: Principal,
    resources: Mapping[str, Resource],
    schema: Schema,
    parent: tuple[str, str],
    description: Mapping[str, Any],
    now: Moment,
) -> Any:
    table, key = parent
    filters = [(name, "is.null" if value in (None, "") else f"eq.{value}") for name, value in description.items()]
    request = parse_request("GET", table, [("select", key), *filters, ("limit", "2")])
    assert isinstance(request, ReadRequest)
    found = json.loads(read(tx, principal, resources, schema, request, now).body)
    words = ", ".join(f"{name} {value!r}" for name, value in description.items())
    if len(found) != 1:
        count = "no row" if not found else "more than one row"
        raise Invalid(f"{table}: {count} with {words}; wanted exactly one", field=table)
    return found[0][key]
