"""Rows that a verb returned, read like a table: select, filters, order, page, counts, embeds. Knows no verb.

The rows go into SQL as one JSON parameter, so every operator means here what it means over a table. Which rows there
are was the verb's to say; what is embedded in them is what the caller may see of it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from db.clock import Moment
from db.json_sql import literal
from db.principal import Principal
from db.rest.answer import RestAnswer, applied_preferences, single_object
from db.rest.limits import Limits
from db.rest.media import CSV
from db.rest.places import JsonPath
from db.rest.planner import Resources, find_resource, plan_rows
from db.rest.request import ReadRequest
from db.rest.run import answer_read
from db.rest.visibility import VisibleColumn, VisibleTable, policy_values, visible_table
from db.schema.schema import Schema
from db.transaction import ReadTx

__all__ = ["RowsOf", "answer_rows"]

_ROWS = "rows"


class RowsOf(NamedTuple):
    """The table whose rows they are, and what it takes to see what belongs to them."""

    table: str
    schema: Schema
    resources: Resources
    principal: Principal
    now: Moment


def answer_rows(
    tx: ReadTx,
    rows: Sequence[Mapping[str, Any]],
    request: ReadRequest,
    limits: Limits,
    rows_of: RowsOf | None = None,
) -> RestAnswer:
    """The rows that the request leaves of these. rows_of: None for rows of no table.

    Raises as a read of a table does.
    """
    if not rows and rows_of is None:
        return _nothing(request)
    declared: Mapping[str, VisibleColumn] = _declared(rows_of) if rows_of else {}
    names = list(dict.fromkeys([*(name for row in rows for name in row), *declared]))
    columns = {name: _column(name, [row.get(name) for row in rows], declared.get(name)) for name in names}
    of = rows_of.table if rows_of else ""
    table = VisibleTable(request.table, columns, "1", (), {}, f"json_each(:{_ROWS})", of)
    if rows_of is None:
        plan = plan_rows(table, request, limits, Schema({}), {}, None)
    else:
        plan = plan_rows(table, request, limits, rows_of.schema, rows_of.resources, rows_of.principal)
    policies = policy_values(rows_of.principal, rows_of.now) if rows_of else {}
    values = {**policies, _ROWS: json.dumps(list(rows), ensure_ascii=False)}
    return answer_read(tx, replace(plan, values=values, whole=()), request, limits)


def _declared(rows_of: RowsOf) -> Mapping[str, VisibleColumn]:
    """The columns that the rows of the table have for this caller."""
    table, resource = find_resource(rows_of.schema, rows_of.resources, rows_of.table)
    return visible_table(table, resource, rows_of.principal).columns


def _nothing(request: ReadRequest) -> RestAnswer:
    """The answer over no rows, of which nobody can say what columns they would have had."""
    listed = "" if request.head or request.media.name == CSV else "[]"
    body = single_object(listed, 0) if request.singular else listed
    total = None if request.preferences.count is None else 0
    return RestAnswer(body, 0, total, applied=applied_preferences(request.preferences, writes=False))


def _column(name: str, values: Sequence[Any], declared: VisibleColumn | None) -> VisibleColumn:
    """The column, typed by the values there are; where there are none, as it is declared."""
    path = literal(JsonPath((name,), False).sqlite)
    extracted = f"json_extract(value, {path})"
    kinds: set[type[Any]] = {type(value) for value in values if value is not None}
    if not kinds and declared is not None and declared.affinity != "BLOB":
        return VisibleColumn(name, declared.affinity, extracted)
    if kinds <= {str}:
        return VisibleColumn(name, "TEXT", extracted)
    if kinds == {bool}:
        return VisibleColumn(name, "INTEGER", extracted, "flag")
    if kinds == {int}:
        return VisibleColumn(name, "INTEGER", extracted)
    if kinds <= {int, float}:
        return VisibleColumn(name, "REAL", extracted, "real")
    return VisibleColumn(name, "TEXT", f"(value -> {path})", "document")
