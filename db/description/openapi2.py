"""The description that PostgREST gives at its root: Swagger 2.0 of tables and verbs. Knows its words; no request.

Source: PostgREST 12, `Response/OpenAPI.hs`: names of parameters and definitions, notes on keys, formats of Postgres.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from db.description.json_schema import Shape, fields_shape
from db.description.tables import DescribedColumn, DescribedTable
from db.description.verbs import DescribedVerb
from db.fields import is_json_list

__all__ = ["openapi2"]

_FORMS = (
    "application/json",
    "application/vnd.pgrst.object+json;nulls=stripped",
    "application/vnd.pgrst.object+json",
    "text/csv",
)
_CALLS = ("application/json", "application/vnd.pgrst.object+json;nulls=stripped", "application/vnd.pgrst.object+json")
_TYPES: Mapping[str, Shape] = {
    "text": {"type": "string", "format": "text"},
    "integer": {"type": "integer", "format": "bigint"},
    "real": {"type": "number", "format": "double precision"},
    "bytes": {"type": "string", "format": "bytea"},
    "flag": {"type": "boolean", "format": "boolean"},
    "json": {"format": "jsonb"},
    "any": {"type": "string", "format": "text"},
}
_DATES = {"date-time": "timestamp with time zone", "date": "date"}
_RETURNS = ("return=representation", "return=minimal", "return=headers-only")
_ON_TABLE = ("order", "range", "rangeUnit", "offset", "limit", "preferCount")


def openapi2(
    about: Mapping[str, str], base_path: str, tables: Sequence[DescribedTable], verbs: Iterable[DescribedVerb]
) -> dict[str, Any]:
    """The document. about: title, description, version. base_path: what paths are below, such as `/aurora/rest/v1`."""
    paths: dict[str, Any] = {"/": {"get": _introspection()}}
    paths |= {f"/{table.name}": _table_path(table) for table in tables}
    paths |= {f"/rpc/{verb.name}": _verb_path(verb) for verb in verbs}
    return {
        "swagger": "2.0",
        "info": dict(about),
        "basePath": base_path,
        "consumes": list(_FORMS),
        "produces": list(_FORMS),
        "paths": paths,
        "definitions": {table.name: _definition(table) for table in tables},
        "parameters": _parameters(tables),
        "securityDefinitions": {
            "JWT": {"name": "Authorization", "in": "header", "type": "apiKey", "description": "Bearer and a token"}
        },
        "security": [{"JWT": []}],
    }


def _introspection() -> Shape:
    return {
        "tags": ["Introspection"],
        "summary": "OpenAPI description (this document)",
        "produces": ["application/openapi+json", "application/json"],
        "responses": {"200": {"description": "OK"}},
    }


def _definition(table: DescribedTable) -> Shape:
    parents = {
        reference.columns[0]: (reference.table, reference.parent_columns[0])
        for reference in table.references
        if len(reference.columns) == 1
    }
    return {
        **({"description": table.note} if table.note else {}),
        "required": [column.name for column in table.columns if not column.nullable],
        "properties": {c.name: _property(c, c.name in table.key, parents.get(c.name)) for c in table.columns},
        "type": "object",
    }


def _property(column: DescribedColumn, is_key: bool, parent: tuple[str, str] | None) -> Shape:
    shape = _typed(column)
    if column.choices:
        shape["enum"] = list(column.choices)
    if column.default is not None:
        shape["default"] = column.default
    notes = [column.note] if column.note else []
    if is_key:
        notes.append("Note:\nThis is a Primary Key.<pk/>")
    if parent is not None:
        table, name = parent
        notes.append(f"Note:\nThis is a Foreign Key to `{table}.{name}`.<fk table='{table}' column='{name}'/>")
    return shape | ({"description": "\n\n".join(notes)} if notes else {})


def _typed(column: DescribedColumn) -> Shape:
    """Type and format. The format is Postgres's word for the type."""
    shape = dict(_TYPES[column.kind])
    return shape | ({"format": _DATES[column.form]} if column.form else {})


def _table_path(table: DescribedTable) -> Shape:
    filters = [_ref(f"rowFilter.{table.name}.{column.name}") for column in table.columns]
    body = _ref(f"body.{table.name}")
    common: Shape = {"tags": [table.name], **({"summary": table.note} if table.note else {})}
    rows = {"type": "array", "items": {"$ref": f"#/definitions/{table.name}"}}
    path: Shape = {
        "get": {
            **common,
            "parameters": [*filters, _ref("select"), *map(_ref, _ON_TABLE)],
            "responses": {"200": {"description": "OK", "schema": rows}, "206": {"description": "Partial Content"}},
        }
    }
    changed = {"204": {"description": "No Content"}}
    if table.inserts:
        given = [body, _ref("select"), _ref("on_conflict"), _ref("preferPost")]
        path["post"] = {**common, "parameters": given, "responses": {"201": {"description": "Created"}}}
    if table.deletes:
        path["delete"] = {**common, "parameters": [*filters, _ref("preferReturn")], "responses": changed}
    if table.updates:
        path["patch"] = {**common, "parameters": [*filters, body, _ref("preferReturn")], "responses": changed}
    return path


def _verb_path(verb: DescribedVerb) -> Shape:
    common: Shape = {"tags": [f"(rpc) {verb.name}"], "summary": verb.summary, "produces": list(_CALLS)}
    answered = {"responses": {"200": {"description": "OK", **_returned(verb)}}}
    shape = _plain(fields_shape(verb.params))
    posted = [{"name": "args", "in": "body", "required": bool(verb.params), "schema": shape}]
    path: Shape = {"post": {**common, "parameters": posted, **answered}}
    if not verb.writes:
        asked = [
            {"name": name, "in": "query", "required": rule.required, "type": "string"}
            for name, rule in verb.params.items()
        ]
        path["get"] = {**common, "parameters": asked, **answered}
    return path


def _returned(verb: DescribedVerb) -> Shape:
    """The rows of a table that the verb answers with."""
    if not verb.rows:
        return {}
    row: Shape = {"$ref": f"#/definitions/{verb.rows}"}
    return {"schema": {"type": "array", "items": row} if verb.result.kind == "rows" else row}


def _plain(shape: Shape) -> Shape:
    """The shape without what Swagger 2.0 has no words for: null among the types, several types."""
    plain = {name: value for name, value in shape.items() if name != "additionalProperties"}
    kinds = plain.get("type")
    if is_json_list(kinds):
        plain["type"] = kinds[0]
    if "enum" in plain:
        plain["enum"] = [value for value in plain["enum"] if value is not None]
    if "properties" in plain:
        plain["properties"] = {name: _plain(value) for name, value in plain["properties"].items()}
    if "items" in plain:
        plain["items"] = _plain(plain["items"])
    return plain


def _parameters(tables: Sequence[DescribedTable]) -> dict[str, Any]:
    shared: dict[str, Any] = {
        "preferReturn": _header("Prefer", "Preference", _RETURNS),
        "preferCount": _header("Prefer", "Preference", ("count=exact", "count=planned", "count=estimated")),
        "preferPost": _header(
            "Prefer",
            "Preference",
            (*_RETURNS, "resolution=ignore-duplicates", "resolution=merge-duplicates", "missing=default"),
        ),
        "select": _query("select", "Filtering Columns"),
        "on_conflict": _query("on_conflict", "On Conflict"),
        "order": _query("order", "Ordering"),
        "range": _header("Range", "Limiting and Pagination"),
        "rangeUnit": _header("Range-Unit", "Limiting and Pagination") | {"default": "items"},
        "offset": _query("offset", "Limiting and Pagination"),
        "limit": _query("limit", "Limiting and Pagination"),
    }
    for table in tables:
        body = {"name": table.name, "description": table.name, "required": False, "in": "body"}
        shared[f"body.{table.name}"] = {**body, "schema": {"$ref": f"#/definitions/{table.name}"}}
        for column in table.columns:
            # The value is an operator with a value, so it is text whatever the column holds.
            form = {"format": _typed(column)["format"], "type": "string"}
            filtered = _query(column.name, column.note) if column.note else _query(column.name)
            shared[f"rowFilter.{table.name}.{column.name}"] = filtered | form
    return shared


def _query(name: str, note: str = "") -> Shape:
    described = {"description": note} if note else {}
    return {"name": name, **described, "required": False, "in": "query", "type": "string"}


def _header(name: str, note: str, choices: Sequence[str] = ()) -> Shape:
    allowed = {"enum": list(choices)} if choices else {}
    return {"name": name, "description": note, "required": False, **allowed, "in": "header", "type": "string"}


def _ref(name: str) -> Shape:
    return {"$ref": f"#/parameters/{name}"}
