"""Columns and rules as JSON Schema (2020-12, as OpenAPI 3.1 has it). Knows shapes; no path and no document."""

from collections.abc import Mapping
from typing import Any

from db.description.tables import DescribedColumn, DescribedTable
from db.description.verbs import DescribedVerb
from db.fields import Choice, Day, Email, Field, Flag, Instant, Integer, JsonObject, ListOf, Text, Url, is_json_list
from db.policies.column_value import ColumnValue, JsonValue

__all__ = ["Shape", "column_shape", "fields_shape", "result_shape", "returned_shape", "row_shape", "rule_shape"]

Shape = dict[str, Any]
_KINDS: Mapping[str, Shape] = {
    "text": {"type": "string"},
    "integer": {"type": "integer", "format": "int64"},
    "real": {"type": "number", "format": "double"},
    "bytes": {"type": "string", "description": "Bytes as hex digits."},
    "flag": {"type": "boolean"},
    "json": {},
    "any": {"type": ["string", "number"]},
}
_RESULTS: Mapping[str, Shape] = {
    "object": {"type": "object"},
    "rows": {"type": "array", "items": {"type": "object"}},
    "list": {"type": "array"},
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
    "any": {},
}
_MOST_INTEGER = 2**63 - 1
# What a column takes that no charter declares.
_COLUMN_VALUES: Mapping[str, Shape] = {
    "TEXT": {"type": "string"},
    "INTEGER": {"type": ["integer", "boolean"]},
    "REAL": {"type": "number"},
    "NUMERIC": {"type": ["number", "string", "boolean"]},
    "BLOB": {"type": "string", "description": "Bytes as hex digits."},
    "ANY": {"type": ["number", "string"]},
}


def row_shape(table: DescribedTable) -> Shape:
    """A whole row, as a read without `select` gives it."""
    shape: Shape = {
        "type": "object",
        "properties": {column.name: column_shape(column) for column in table.columns},
        "required": [column.name for column in table.columns],
        "additionalProperties": False,
    }
    return shape | ({"description": table.note} if table.note else {})


def column_shape(column: DescribedColumn) -> Shape:
    """What a column reads as."""
    shape = dict(_KINDS[column.kind])
    if column.kind == "json":
        shape = _stored_json(column.rule)
    if column.choices:
        shape["enum"] = list(column.choices)
    if column.form:
        shape["format"] = column.form
    if column.nullable:
        shape = _or_null(shape)
    return shape | ({"description": column.note} if column.note else {})


def rule_shape(rule: Field) -> Shape:
    """What a client may give under a rule; null clears an optional value."""
    shape = _given(rule)
    return shape if rule.required else _or_null(shape)


def fields_shape(fields: Mapping[str, Field], table: DescribedTable | None = None, *, partial: bool = False) -> Shape:
    """An object of fields. table: whose columns they are: some take no null. partial: none has to be there."""
    kept = frozenset(column.name for column in table.columns if not column.nullable) if table else frozenset[str]()
    needed = [] if partial else [name for name, rule in fields.items() if rule.required]
    return {
        "type": "object",
        "properties": {name: _given(rule) if name in kept else rule_shape(rule) for name, rule in fields.items()},
        **({"required": needed} if needed else {}),
        "additionalProperties": False,
    }


def returned_shape(table: DescribedTable) -> Shape:
    """A row of the table as a verb answers with it: whole, and with what the verb adds."""
    return {name: value for name, value in row_shape(table).items() if name != "additionalProperties"}


def result_shape(verb: DescribedVerb) -> Shape:
    """What a verb answers with, where that is no row of a table; not for one that answers nothing."""
    return dict(_RESULTS[verb.result.kind])


def _given(rule: Field) -> Shape:
    """The shape of a value that is not null."""
    match rule:
        case Text():
            least = {"minLength": 1} if rule.required else {}
            return {"type": "string", **least, "maxLength": rule.max_characters}
        case Email():
            return {"type": "string", "format": "email"}
        case Url():
            return {"type": "string", "format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"}
        case Choice():
            return {"type": "string", "enum": list(rule.options)}
        case Integer():
            return {"type": "integer", "minimum": rule.minimum, "maximum": min(rule.maximum, _MOST_INTEGER)}
        case Flag():
            return {"type": ["boolean", "integer"], "enum": [True, False, 0, 1]}
        case Day():
            return {"type": "string", "format": "date"}
        case Instant():
            return {"type": "string", "format": "date-time"}
        case ListOf():
            item = _given(rule.item)
            return {"type": "array", "items": item, "minItems": rule.minimum, "maxItems": rule.maximum}
        case JsonObject():
            return {"type": "object"}
        case JsonValue():
            return {"type": ["object", "array"]}
        case ColumnValue():
            return dict(_COLUMN_VALUES[rule.affinity])
        case _:
            return {}


def _stored_json(rule: Field | None) -> Shape:
    """What a column of JSON reads as: nothing but its rule lets in."""
    match rule:
        case ListOf():
            return {"type": "array", "items": _given(rule.item)}
        case JsonObject():
            return {"type": "object"}
        case _:
            return {}


def _or_null(shape: Shape) -> Shape:
    """The shape, or null. One that says nothing of the type allows null already."""
    if "type" not in shape:
        return shape
    kinds = shape["type"] if is_json_list(shape["type"]) else [shape["type"]]
    choices = {"enum": [*shape["enum"], None]} if "enum" in shape else {}
    return {**shape, "type": [*kinds, "null"], **choices}
