"""Statements that grow by the filters of a call. Knows SQL text; not what is filtered.

A filter that is not given leaves no trace in the statement, so that an index can answer the others.
"""

from collections.abc import Mapping
from typing import Any, LiteralString

from db.transaction import SqlValue

# What each filter adds to a WHERE, by the argument that brings its value; the value's name is the argument's.
Conditions = Mapping[str, LiteralString]


def narrowed(args: Mapping[str, Any], conditions: Conditions) -> tuple[LiteralString, dict[str, SqlValue]]:
    """What to add after a WHERE, and its values. An argument that is absent, null or false is no filter."""
    sql: LiteralString = ""
    values: dict[str, SqlValue] = {}
    for name, condition in conditions.items():
        if args.get(name):
            sql += f" AND {condition}"
            values[name] = args[name]
    return sql, values
