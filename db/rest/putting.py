"""PUT: one row under the key its filters name, made or changed. Knows one table; not how the answer looks."""

from collections.abc import Callable, Mapping
from typing import Any

from db.errors import Invalid, MethodNotAllowed
from db.rest.filters import Condition
from db.rest.query import Restriction
from db.rest.upsert import Inserted, existing_row, merge_row
from db.rest.values import typed_value
from db.rest.writing import Key, Writing
from db.transaction import SqlValue

__all__ = ["put_row"]


def put_row(
    writing: Writing, target: Restriction, given: Mapping[str, Any], check: Callable[[list[Key]], None]
) -> Inserted:
    """Insert the row, or give the one that is there the new values.

    check: called with the keys that are there, before anything is written.
    Raises MethodNotAllowed PGRST105 unless the filters are the whole key, Invalid PGRST115 for another key in the row.
    """
    writing.need_open(writing.resource.insert)
    key = _key(writing, target)
    for name, value in key.items():
        sent = given.get(name)
        affinity = _affinity(writing, name)
        if (typed_value(sent, affinity) if isinstance(sent, str) else sent) != value:
            raise Invalid("Payload values do not match URL in primary key column(s)", code="PGRST115", field=name)
    done = Inserted()
    old = existing_row(writing, tuple(key), key)
    check([] if old is None else [writing.key_of(old)])
    if old is None:
        done.add(writing.insert(writing.new_values(given)), is_new=True)
    else:
        # A key that the server makes is no field; that it is the same was just checked.
        kept = {name: value for name, value in given.items() if name not in key or name in writing.resource.fields}
        done.add(merge_row(writing, old, kept), is_new=False)
    writing.hold(writing.resource.insert, done.new)
    writing.hold(writing.resource.update, done.merged)
    return done


def _key(writing: Writing, target: Restriction) -> dict[str, SqlValue]:
    """The key that the filters name."""
    named: dict[str, SqlValue] = {}
    for tree in target.filters:
        if not isinstance(tree, Condition) or not isinstance(tree.value, str) or tree.column in named:
            raise _not_the_key()
        if tree.operator != "eq" or tree.negated or tree.path or tree.column not in writing.table.primary_key:
            raise _not_the_key()
        named[tree.column] = typed_value(tree.value, _affinity(writing, tree.column))
    if set(named) != set(writing.table.primary_key):
        raise _not_the_key()
    return named


def _affinity(writing: Writing, name: str) -> str:
    """How a value of the column is typed."""
    column = writing.table.column(name)
    assert column is not None
    return column.affinity


def _not_the_key() -> MethodNotAllowed:
    return MethodNotAllowed(
        "Filters must include all and only primary key columns with 'eq' operators", code="PGRST105"
    )
