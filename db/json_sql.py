"""SQL text that builds JSON objects, and SQL's own quoting. Knows SQLite's limits; not whose columns they are."""

import json
from collections.abc import Sequence

__all__ = ["identifier", "json_object_sql", "literal"]

_PAIRS_PER_CALL = 60  # SQLite takes 127 arguments a call unless compiled otherwise: 63 pairs.


def identifier(name: str) -> str:
    """A declared name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Text as an SQL string literal. For names and keys; values are bound."""
    return "'" + text.replace("'", "''") + "'"


def json_object_sql(pairs: Sequence[tuple[str, str]]) -> str:
    """An SQL expression for the JSON object of these (key, SQL expression) pairs, in their order.

    A value that is itself JSON must carry SQLite's JSON subtype: wrap it in `json(...)`. A BLOB makes the
    expression fail, as in `json_object`.
    """
    if len(pairs) <= _PAIRS_PER_CALL:
        return "json_object(" + ", ".join(f"{literal(key)}, {value}" for key, value in pairs) + ")"
    # Wider than one call: members joined as text. The brackets keep the expression tree within SQLite's depth of 1000.
    members = [f"{literal(json.dumps(key) + ':')} || json_quote({value})" for key, value in pairs]
    groups = [members[start : start + _PAIRS_PER_CALL] for start in range(0, len(members), _PAIRS_PER_CALL)]
    joined = " || ',' || ".join("(" + " || ',' || ".join(group) + ")" for group in groups)
    return f"json('{{' || {joined} || '}}')"
