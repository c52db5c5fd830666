"""Rows that a verb returned, read like a table: select, filters, order, page, counts. Knows no verb and no caller.

The rows go into SQL as one JSON parameter, so every operator means here what it means over a table.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from db.json_sql import literal
from db.rest.answer import RestAnswer, applied_preferences, single_object
from db.rest.limits import Limits
from db.rest.media import CSV
from db.rest.places import JsonPath
from db.rest.planner import plan_rows
from db.rest.request import ReadRequest
from db.rest.run import answer_read
from db.rest.visibility import VisibleColumn, VisibleTable
from db.transaction import ReadTx

__all__ = ["answer_rows"]

_ROWS = "rows"


def answer_rows(tx: ReadTx, rows: Sequence[Mapping[str, Any]], request: ReadRequest, limits: Limits) -> RestAnswer:
    """The rows that the request leaves of these. Raises as a read of a table does."""
    if not rows:
        return _nothing(request)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: _column(name, [row.get(name) for row in rows]) for name in names}
    table = VisibleTable(request.table, columns, "1", (), {}, f"json_each(:{_ROWS})")
    plan = plan_rows(table, request, limits)
    values = {_ROWS: json.dumps(list(rows), ensure_ascii=False)}
    return answer_read(tx, replace(plan, values=values, whole=()), request, limits)


def _nothing(request: ReadRequest) -> RestAnswer:
    """The answer over no rows, of which nobody can say what columns they would have had."""
    listed = "" if request.head or request.media.name == CSV else "[]"
    body = single_object(listed, 0) if request.singular else listed
    total = None if request.preferences.count is None else 0
    return RestAnswer(body, 0, total, applied=applied_preferences(request.preferences, writes=False))


def _column(name: str, values: Sequence[Any]) -> VisibleColumn:
    """The column, typed by the values there are."""
    path = literal(JsonPath((name,), False).sqlite)
    extracted = f"json_extract(value, {path})"
    kinds: set[type[Any]] = {type(value) for value in values if value is not None}
    if kinds <= {str}:
        return VisibleColumn(name, "TEXT", extracted)
    if kinds == {bool}:
        return VisibleColumn(name, "INTEGER", extracted, "flag")
    if kinds == {int}:
        return VisibleColumn(name, "INTEGER", extracted)
    if kinds <= {int, float}:
        return VisibleColumn(name, "REAL", extracted, "real")
    return VisibleColumn(name, "TEXT", f"(value -> {path})", "document")
