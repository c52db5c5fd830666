"""SQL expressions for single values: columns, places in JSON, casts. Knows SQLite; no table, row or policy."""

from collections.abc import Callable

from db.json_sql import identifier
from db.rest.places import JsonPath
from db.rest.plan import ColumnOutput
from db.transaction import SqlValue

__all__ = [
    "CASTS",
    "Bind",
    "aggregate_kind",
    "as_json",
    "cast_sql",
    "column_sql",
    "order_sql",
    "output_kind",
    "place_sql",
    "value_sql",
]

Bind = Callable[[SqlValue], str]
"""Makes a new parameter for a value; its name in the SQL."""

_TEXTS = ("text", "varchar", "character varying", "char", "character", "bpchar", "citext", "name", "uuid")
_WHOLE = ("int", "integer", "int2", "int4", "int8", "smallint", "bigint")
_REALS = ("real", "float", "float4", "float8", "double precision")
CASTS = {
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(_WHOLE, "integer"),
    **dict.fromkeys(_REALS, "real"),
    **dict.fromkeys(("numeric", "decimal"), "number"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    "date": "date",
    "time": "time",
    "timestamp": "text",
    "timestamptz": "text",
}
"""Postgres's names of types to the kinds of value that are told apart here."""


def column_sql(alias: str, column: str) -> str:
    """A column of a table."""
    return f"{alias}.{identifier(column)}"


def place_sql(column: str, path: JsonPath, bind: Bind) -> str:
    """The value at a place in the JSON of a column, as JSON or as text; NULL where it is missing or no JSON is."""
    document = f"CASE WHEN json_valid({column}) THEN {column} END"
    at = bind(path.sqlite)
    if not path.as_text:
        return f"({document} -> {at})"
    return (
        f"CASE json_type({document}, {at}) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "
        f"ELSE CAST({document} ->> {at} AS TEXT) END"
    )


def value_sql(alias: str, value: ColumnOutput, bind: Bind) -> str:
    """The value as SQL holds it, its cast applied."""
    sql = column_sql(alias, value.column)
    if value.path:
        sql = place_sql(sql, value.path, bind)
    return cast_sql(sql, value.kind, value.cast) if value.cast else sql


def output_kind(value: ColumnOutput) -> str:
    """How the value is answered once its cast is applied.

    plain; bytes; real (with every digit); flag (1 and 0 for true and false); json (if it is JSON, else text);
    document (JSON for sure).
    """
    return _cast_kind(value.cast) if value.cast else _place_kind(value)


def aggregate_kind(function: str, source: ColumnOutput | None, cast: str | None) -> str:
    """How an aggregate is answered."""
    if cast:
        return _cast_kind(cast)
    return output_kind(source) if source and function in ("min", "max") else "real"


def _place_kind(value: ColumnOutput) -> str:
    """How the value is answered without its cast."""
    if value.path:
        return "plain" if value.path.as_text else "document"
    return value.kind


def _cast_kind(cast: str) -> str:
    return "document" if cast in ("json", "boolean") else "real" if cast in ("real", "number") else "plain"


def as_json(sql: str, kind: str) -> str:
    """The value as `json_object` takes it. The json() also puts back the subtype that a subquery loses."""
    if kind == "bytes":
        return f"CASE WHEN {sql} IS NOT NULL THEN '\\x' || lower(hex({sql})) END"
    if kind == "document":
        return f"json({sql})"
    if kind == "real":
        # SQLite's JSON has 15 digits of a number; some need more to be the same number again.
        return (
            f"CASE WHEN typeof({sql}) <> 'real' OR CAST(printf('%!.15g', {sql}) AS REAL) = {sql} THEN {sql} "
            f"WHEN {sql} - {sql} = 0 THEN json(printf('%!.20g', {sql})) END"
        )
    if kind == "flag":
        return f"CASE {sql} WHEN 1 THEN json('true') WHEN 0 THEN json('false') END"
    if kind == "json":
        return f"CASE WHEN json_valid({sql}) THEN json({sql}) ELSE json_quote({sql}) END"
    return sql


def cast_sql(sql: str, kind: str, cast: str) -> str:
    """The value as another type; NULL where it has no such form, for an error would tell of rows nobody asked for."""
    number = f"(json_valid({sql}) AND json_type({sql}) IN ('integer', 'real'))"
    match cast:
        case "text" if kind == "bytes":
            return as_json(sql, "bytes")
        case "text":
            # Joined to nothing: the value would still count as JSON, were it taken from JSON.
            return f"(CAST({sql} AS TEXT) || '')"
        case "integer":
            return (
                f"CASE typeof({sql}) WHEN 'integer' THEN {sql} WHEN 'real' THEN CAST(round({sql}) AS INTEGER) "
                f"WHEN 'text' THEN CASE WHEN {number} THEN CASE json_type({sql}) WHEN 'integer' THEN "
                f"CAST({sql} AS INTEGER) ELSE CAST(round({sql}) AS INTEGER) END END END"
            )
        case "real" | "number":
            kept = "numeric" if cast == "number" else "real"
            return (
                f"CASE typeof({sql}) WHEN 'integer' THEN CAST({sql} AS {kept}) WHEN 'real' THEN {sql} "
                f"WHEN 'text' THEN CASE WHEN {number} THEN CAST({sql} AS {kept}) END END"
            )
        case "boolean":
            return (
                f"CASE WHEN lower(CAST({sql} AS TEXT)) IN ('true', 't', 'yes', 'y', 'on', '1') THEN 'true' "
                f"WHEN lower(CAST({sql} AS TEXT)) IN ('false', 'f', 'no', 'n', 'off', '0') THEN 'false' END"
            )
        case "json":
            return f"CASE WHEN typeof({sql}) <> 'blob' AND json_valid({sql}) THEN {sql} END"
        case _:
            return f"{cast}({sql})"


def order_sql(alias: str, value: ColumnOutput, bind: Bind) -> list[str]:
    """The values to order by in turn: JSON goes by its type first, as in Postgres, then by what it holds."""
    if value.path is None or value.path.as_text:
        return [value_sql(alias, value, bind)]
    column = column_sql(alias, value.column)
    document = f"CASE WHEN json_valid({column}) THEN {column} END"
    at = bind(value.path.sqlite)
    kinds = " ".join(f"WHEN '{kind}' THEN {rank}" for kind, rank in _JSON_RANKS)
    return [f"CASE json_type({document}, {at}) {kinds} END", f"json_extract({document}, {at})"]


_JSON_RANKS = (
    ("null", 0), ("text", 1), ("integer", 2), ("real", 2), ("false", 3), ("true", 3), ("array", 4), ("object", 5),
)  # fmt: skip
