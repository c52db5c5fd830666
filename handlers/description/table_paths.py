"""Tables as paths of the OpenAPI document. Knows what REST answers with; not who asks."""

from typing import Any

from db.description.json_schema import Shape, fields_shape, returned_shape, row_shape
from db.description.tables import DescribedTable
from handlers.description.vocabulary import (
    CSV,
    JSON,
    READ_ERRORS,
    SINGULAR,
    STRIPPED,
    WRITE_ERRORS,
    answer,
    content,
    errors,
    parameter,
    ref,
)

_OPERATORS = (
    "eq|neq|gt|gte|lt|lte|isdistinct|in|is|like|ilike|match|imatch|cs|cd|ov|sl|sr|nxl|nxr|adj|fts|plfts|phfts|wfts"
)
_FILTER: Shape = {"type": "string", "pattern": rf"^(not\.)?({_OPERATORS})(\([^)]*\))?\."}
_OWN_NAMES = frozenset({"select", "order", "limit", "offset", "and", "or", "columns", "on_conflict"})
_BOOKMARK, _TAG, _COUNTED = "x-d1-bookmark", "ETag", "Content-Range"


def table_schemas(table: DescribedTable, *, returned: bool) -> dict[str, Shape]:
    """The row as it is read, and what a client gives. returned: whether verbs answer with rows of the table too."""
    schemas = {table.name: row_shape(table)}
    if returned:
        schemas[f"{table.name}.returned"] = returned_shape(table)
    if table.inserts:
        schemas[f"{table.name}.insert"] = fields_shape(table.given, table)
    if table.updates:
        schemas[f"{table.name}.update"] = fields_shape(table.changed, table, partial=True)
    return schemas


def table_path(table: DescribedTable) -> dict[str, Any]:
    """The operations that the caller has rights for."""
    path: dict[str, Any] = {"get": _read(table)}
    if table.inserts:
        path["post"] = _insert(table)
    if table.inserts and table.updates:
        path["put"] = _put(table)
    if table.updates:
        path["patch"] = _change(table, "update", "Change the rows that the filters choose", f"{table.name}.update")
    if table.deletes:
        path["delete"] = _change(table, "delete", "Delete the rows that the filters choose", None)
    return path


def _read(table: DescribedTable) -> Shape:
    paged = ("Select", "Order", "Limit", "Offset", "And", "Or", "Prefer", "Range", "Bookmark", "IfNoneMatch")
    return {
        "operationId": f"read_{table.name}",
        "tags": [table.name],
        "summary": f"Rows of {table.name}",
        **({"description": table.note} if table.note else {}),
        "parameters": [*_filters(table), *_shared(*paged)],
        "responses": {
            "200": answer("The rows", _rows(table), _BOOKMARK, _TAG, _COUNTED),
            "206": answer("A part of a known total", _rows(table), _BOOKMARK, _TAG, _COUNTED),
            "304": answer("The caller has it, by If-None-Match", None, _BOOKMARK, _TAG),
            **errors(READ_ERRORS),
        },
    }


def _insert(table: DescribedTable) -> Shape:
    one = ref("schemas", f"{table.name}.insert")
    return {
        "operationId": f"insert_{table.name}",
        "tags": [table.name],
        "summary": f"Insert or upsert rows of {table.name}",
        "parameters": _shared("Select", "Order", "Columns", "OnConflict", "Prefer", "IdempotencyKey"),
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": {"anyOf": [one, {"type": "array", "items": one}]}},
                CSV: {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "200": answer("All of them were there already", _rows(table), _BOOKMARK, _COUNTED),
            "201": answer("New rows", _rows(table), _BOOKMARK, _COUNTED, "Location", "Idempotency-Replayed"),
            **errors(WRITE_ERRORS),
        },
    }


def _put(table: DescribedTable) -> Shape:
    keys = [
        parameter("query", name, "`eq.` and the value in the body", {"type": "string"}, required=True)
        for name in table.key
    ]
    return {
        "operationId": f"put_{table.name}",
        "tags": [table.name],
        "summary": f"Have one row of {table.name} under its key",
        "parameters": [*keys, *_shared("Select", "Prefer", "IdempotencyKey", "IfMatch", "IfNoneMatch")],
        "requestBody": {"required": True, "content": content(ref("schemas", f"{table.name}.insert"))},
        "responses": {
            "200": answer("The row was there", _rows(table), _BOOKMARK, _TAG),
            "201": answer("The row is new", _rows(table), _BOOKMARK, _TAG),
            "204": answer("The row was there", None, _BOOKMARK),
            **errors(WRITE_ERRORS),
        },
    }


def _change(table: DescribedTable, kind: str, summary: str, body: str | None) -> Shape:
    given = {"requestBody": {"required": True, "content": content(ref("schemas", body))}} if body else {}
    shared = ("Select", "Order", "Limit", "And", "Or", "Prefer", "IdempotencyKey", "IfMatch")
    return {
        "operationId": f"{kind}_{table.name}",
        "tags": [table.name],
        "summary": f"{summary} in {table.name}",
        "parameters": [*_filters(table), *_shared(*shared)],
        **given,
        "responses": {
            "200": answer("The rows", _rows(table), _BOOKMARK, _COUNTED, "Idempotency-Replayed"),
            "204": answer("Done", None, _BOOKMARK, _COUNTED, "Idempotency-Replayed"),
            **errors(WRITE_ERRORS),
        },
    }


def _rows(table: DescribedTable) -> Shape:
    """Whole rows, or rows as `select` has them, in every form."""
    row: Shape = {"anyOf": [ref("schemas", table.name), ref("schemas", "ShapedRow")]}
    listed: Shape = {"type": "array", "items": row}
    return {
        **content(listed, JSON, STRIPPED),
        **content(row, SINGULAR),
        **content({"type": "string"}, CSV),
    }


def _filters(table: DescribedTable) -> list[Shape]:
    return [
        parameter("query", column.name, "An operator and a value", _FILTER) | {"example": _example(column.kind)}
        for column in table.columns
        if column.name not in _OWN_NAMES
    ]


def _example(kind: str) -> str:
    return {"text": "eq.a", "json": 'cs.{"a":1}'}.get(kind, "gte.10")


def _shared(*names: str) -> list[Shape]:
    return [ref("parameters", name) for name in names]
