"""Tables and verbs as Python types: pydantic models of rows, typed dictionaries of what is given. Writes text only.

The dictionaries are what supabase's client for Python takes, and what pydantic's `TypeAdapter` checks.
"""

import json
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence

from db.description.tables import DescribedColumn, DescribedTable
from db.description.verbs import DescribedVerb
from db.fields import Choice, Field, Flag, Integer, JsonObject, ListOf
from db.policies.column_value import ColumnValue, JsonValue

__all__ = ["python_types"]

_KINDS = {
    "text": "str",
    "integer": "int",
    "real": "float",
    "bytes": "str",
    "flag": "bool",
    "json": "Any",
    "any": "str | int | float",
}
_COLUMN_VALUES = {"INTEGER": "int | bool", "REAL": "float", "NUMERIC": "float | str | bool", "ANY": "float | str"}
_HEAD = '''"""{title}"""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import NotRequired, TypedDict

__all__ = [
{names}]
'''
# Each row is whole; what the verb adds to it is let through.
_RESULT = '''class {name}({row}):
    """A row that {verb} answers with."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)
'''
# Names that a model has already, or that would begin a private attribute.
_TAKEN = frozenset({"schema", "json", "dict", "copy", "construct", "validate", "fields"})


def python_types(title: str, tables: Sequence[DescribedTable], verbs: Iterable[DescribedVerb]) -> str:
    """The module. title: what its docstring says it is for."""
    classes: dict[str, str] = {}
    for table in tables:
        name = _class_name(table.name)
        classes[f"{name}Row"] = _model(f"{name}Row", table)
        if table.inserts:
            given = {key: _needed(_given(table, key, rule), rule) for key, rule in table.given.items()}
            classes[f"{name}Insert"] = _dictionary(f"{name}Insert", given)
        if table.updates:
            changed = {key: f"NotRequired[{_given(table, key, rule)}]" for key, rule in table.changed.items()}
            classes[f"{name}Update"] = _dictionary(f"{name}Update", changed)
    for verb in verbs:
        name = f"{_class_name(verb.name)}Args"
        args = {key: _needed(_value(rule), rule) for key, rule in verb.params.items()}
        classes[name] = _dictionary(name, args)
        if verb.rows:
            result = f"{_class_name(verb.name)}Result"
            classes[result] = _RESULT.format(name=result, row=f"{_class_name(verb.rows)}Row", verb=verb.name)
    names = "".join(f'    "{name}",\n' for name in sorted(classes))
    head = _HEAD.format(title=json.dumps(" ".join(title.split()), ensure_ascii=False)[1:-1], names=names)
    return "\n\n".join((head, *classes.values()))


def _model(name: str, table: DescribedTable) -> str:
    lines = [f"class {name}(BaseModel):", '    model_config = ConfigDict(extra="forbid", populate_by_name=True)', ""]
    for column in table.columns:
        attribute = _attribute(column.name)
        alias = "" if attribute == column.name else f" = Field(alias={json.dumps(column.name)})"
        lines.append(f"    {attribute}: {_column(column)}{alias}")
    return "\n".join(lines) + "\n"


def _dictionary(name: str, fields: Mapping[str, str]) -> str:
    if all(key.isidentifier() and not keyword.iskeyword(key) for key in fields):
        inner = "".join(f"    {key}: {kind}\n" for key, kind in fields.items()) or "    pass\n"
        return f"class {name}(TypedDict):\n{inner}"
    # A name that is no identifier, or a word of Python's own, can stand in the other form alone.
    inner = "".join(f"        {json.dumps(key)}: {kind},\n" for key, kind in fields.items())
    return f'{name} = TypedDict(\n    "{name}",\n    {{\n{inner}    }},\n)\n'


def _column(column: DescribedColumn) -> str:
    """What a column reads as."""
    kind = _KINDS[column.kind]
    if column.kind == "json" and column.rule is not None:
        kind = _bare(column.rule)
    elif column.form:
        kind = {"date-time": "datetime", "date": "date"}[column.form]
    if column.choices:
        kind = f"Literal[{', '.join(map(_literal, column.choices))}]"
    return f"{kind} | None" if column.nullable and kind != "Any" else kind


def _given(table: DescribedTable, name: str, rule: Field) -> str:
    """What a client gives for a column."""
    column = table.column(name)
    return _bare(rule) if column is not None and not column.nullable else _value(rule)


def _value(rule: Field) -> str:
    """What a client gives under a rule; None clears an optional value."""
    return _bare(rule) if rule.required else f"{_bare(rule)} | None"


def _needed(kind: str, rule: Field) -> str:
    return kind if rule.required else f"NotRequired[{kind}]"


def _bare(rule: Field) -> str:
    match rule:
        case Choice():
            return f"Literal[{', '.join(map(_literal, rule.options))}]"
        case Integer():
            return "int"
        case Flag():
            return "bool | Literal[0, 1]"
        case ListOf():
            return f"list[{_bare(rule.item)}]"
        case JsonObject():
            return "dict[str, Any]"
        case JsonValue():
            return "dict[str, Any] | list[Any]"
        case ColumnValue():
            return _COLUMN_VALUES.get(rule.affinity, "str")
        case _:
            return "str"


def _literal(value: str | int) -> str:
    return json.dumps(value) if isinstance(value, str) else str(value)


def _attribute(name: str) -> str:
    """A name that a model can have."""
    plain = re.sub(r"\W", "_", name).lstrip("_") or "field"
    plain = f"field_{plain}" if plain[0].isdigit() or plain.startswith("model_") else plain
    return f"{plain}_" if keyword.iskeyword(plain) or plain in _TAKEN else plain


def _class_name(name: str) -> str:
    """`edition_sections` and `work.create` as `EditionSections` and `WorkCreate`."""
    plain = "".join(word[:1].upper() + word[1:] for word in re.split(r"[\W_]+", name))
    return f"T{plain}" if plain[:1].isdigit() else plain
