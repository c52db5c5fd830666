"""Tables and verbs as the TypeScript type `Database` of supabase's clients. Knows their layout; no file and no caller.

Source: what `supabase gen types typescript` writes, and `GenericSchema` of @supabase/supabase-js.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from db.description.tables import DescribedColumn, DescribedTable, Reference
from db.description.verbs import DescribedVerb
from db.fields import Choice, Email, Field, Flag, Integer, JsonObject, ListOf
from db.policies.column_value import ColumnValue, JsonValue

__all__ = ["typescript"]

_KINDS = {
    "text": "string",
    "integer": "number",
    "real": "number",
    "bytes": "string",
    "flag": "boolean",
    "json": "Json",
    "any": "string | number",
}
_COLUMN_VALUES = {
    "INTEGER": "number | boolean",
    "REAL": "number",
    "NUMERIC": "number | string | boolean",
    "ANY": "number | string",
}
_RESULTS = {
    "object": "{ [key: string]: Json }",
    "rows": "{ [key: string]: Json }[]",
    "list": "Json[]",
    "text": "string",
    "integer": "number",
    "number": "number",
    "flag": "boolean",
    "nothing": "null",
    "any": "Json",
}
_NOTHING = "Record<PropertyKey, never>"
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_HEAD = """export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  // Lets createClient know which of PostgREST's features there are.
  __InternalSupabase: {
    PostgrestVersion: "13"
  }
  public: {
"""
_TAIL = """    Views: { [_ in never]: never }
"""
_END = """    Enums: { [_ in never]: never }
    CompositeTypes: { [_ in never]: never }
  }
}

type Tables = Database["public"]["Tables"]
export type Row<Name extends keyof Tables> = Tables[Name]["Row"]
export type Insert<Name extends keyof Tables> = Tables[Name]["Insert"]
export type Update<Name extends keyof Tables> = Tables[Name]["Update"]
"""


def typescript(title: str, tables: Sequence[DescribedTable], verbs: Iterable[DescribedVerb]) -> str:
    """The module. title: what its first line says it is for."""
    head = f"// {' '.join(title.split())}\n\n{_HEAD}"
    body = "".join(f"      {_key(table.name)}: {_table(table)}\n" for table in tables)
    calls = "".join(f"      {_key(verb.name)}: {_verb(verb)}\n" for verb in verbs)
    return f"{head}    Tables: {{\n{body}    }}\n{_TAIL}    Functions: {{\n{calls}    }}\n{_END}"


def _table(table: DescribedTable) -> str:
    row = {column.name: _column(column) for column in table.columns}
    given = {_optional(name, rule): _given(table, name, rule) for name, rule in table.given.items()}
    changed = {f"{_key(name)}?": _given(table, name, rule) for name, rule in table.changed.items()}
    parts = (
        ("Row", _fields({_key(name): kind for name, kind in row.items()}, 5)),
        ("Insert", _fields(given, 5)),
        ("Update", _fields(changed, 5)),
        ("Relationships", _relationships(table.references)),
    )
    inner = "".join(f"        {name}: {text}\n" for name, text in parts)
    return f"{{\n{inner}      }}"


def _relationships(references: Sequence[Reference]) -> str:
    if not references:
        return "[]"
    lines = "".join(
        f"          {{ foreignKeyName: {_text(known.name)}, columns: {_texts(known.columns)}, "
        f"isOneToOne: {str(known.to_one_back).lower()}, referencedRelation: {_text(known.table)}, "
        f"referencedColumns: {_texts(known.parent_columns)} }},\n"
        for known in references
    )
    return f"[\n{lines}        ]"


def _verb(verb: DescribedVerb) -> str:
    given = {_optional(name, rule): _value(rule) for name, rule in verb.params.items()}
    row = f"\n        SetofOptions: {_setof(verb, verb.rows)}" if verb.rows else ""
    return f"{{\n        Args: {_fields(given, 5)}\n        Returns: {_returns(verb)}{row}\n      }}"


def _returns(verb: DescribedVerb) -> str:
    """What `data` is. Nothing arrives as null."""
    kind = _RESULTS[verb.result.kind]
    if verb.rows:
        # The index is for what the verb adds to the row.
        row = f'Tables[{_text(verb.rows)}]["Row"] & {{ [key: string]: Json }}'
        kind = f"({row})[]" if verb.result.kind == "rows" else row
    return kind + (" | null" if verb.result.optional else "")


def _setof(verb: DescribedVerb, table: str) -> str:
    """What tells clients whose relationships the rows have."""
    several = str(verb.result.kind == "rows").lower()
    one = str(verb.result.kind != "rows").lower()
    return f'{{ from: "*", to: {_text(table)}, isOneToOne: {one}, isSetofReturn: {several} }}'


def _fields(fields: Mapping[str, str], depth: int) -> str:
    """An object type, its lines indented by so many steps."""
    if not fields:
        return _NOTHING
    inner = "".join(f"{'  ' * depth}{name}: {kind}\n" for name, kind in fields.items())
    return f"{{\n{inner}{'  ' * (depth - 1)}}}"


def _column(column: DescribedColumn) -> str:
    """What a column reads as."""
    kind = _KINDS[column.kind]
    if column.kind == "json" and column.rule is not None:
        kind = _bare(column.rule)
    if column.choices:
        kind = " | ".join(_text(choice) if isinstance(choice, str) else str(choice) for choice in column.choices)
    return f"{kind} | null" if column.nullable and kind != "Json" else kind


def _given(table: DescribedTable, name: str, rule: Field) -> str:
    """What a client gives for a column."""
    column = table.column(name)
    return _bare(rule) if column is not None and not column.nullable else _value(rule)


def _value(rule: Field) -> str:
    """What a client gives under a rule; null clears an optional value."""
    return _bare(rule) if rule.required else f"{_bare(rule)} | null"


def _bare(rule: Field) -> str:
    match rule:
        case Choice():
            return " | ".join(map(_text, rule.options))
        case Integer():
            return "number"
        case Flag():
            return "boolean | 0 | 1"
        case ListOf():
            return f"({_bare(rule.item)})[]" if isinstance(rule.item, Choice) else f"{_bare(rule.item)}[]"
        case JsonObject():
            return "{ [key: string]: Json | undefined }"
        case JsonValue():
            return "{ [key: string]: Json | undefined } | Json[]"
        case ColumnValue():
            return _COLUMN_VALUES.get(rule.affinity, "string")
        case Email() | _:
            return "string"


def _optional(name: str, rule: Field) -> str:
    return _key(name) if rule.required else f"{_key(name)}?"


def _key(name: str) -> str:
    return name if _WORD.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    return json.dumps(text)


def _texts(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"
