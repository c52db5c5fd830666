"""Inserts that may meet rows already there: merge, ignore or refuse. Knows one table; writes row by row, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from db.errors import Forbidden, Invalid
from db.json_sql import identifier
from db.rest.visibility import allowed_sql, policy_values
from db.rest.writing import Key, Writing
from db.transaction import Row, SqlValue, Statement

__all__ = ["Inserted", "existing_row", "insert_all", "merge_row"]


@dataclass(slots=True)
class Inserted:
    """Keys of the rows that are new and of those that were there and took new values; all of them as they came."""

    new: list[Key] = field(default_factory=list[Key])
    merged: list[Key] = field(default_factory=list[Key])
    every: list[Key] = field(default_factory=list[Key])

    def add(self, key: Key, *, is_new: bool) -> None:
        """Note a row that was written."""
        (self.new if is_new else self.merged).append(key)
        self.every.append(key)


def insert_all(
    writing: Writing, rows: Sequence[Mapping[str, Any]], resolution: str | None, on_conflict: Sequence[str] = ()
) -> Inserted:
    """Insert the rows; all the policies are held at the end, on the rows as they then are.

    resolution: None refuses a row whose key exists (Conflict 23505), else as in `Prefer`.
    on_conflict: the key to look for, () for the primary key. Raises Invalid, Forbidden, NotAuthenticated, Conflict.
    """
    writing.need_open(writing.resource.insert)
    target = _conflict_target(writing, on_conflict) if resolution else ()
    done = Inserted()
    for given in rows:
        values = writing.new_values(given)
        old = existing_row(writing, target, values) if resolution else None
        if old is None:
            done.add(writing.insert(values), is_new=True)
        elif resolution == "merge-duplicates":
            done.add(merge_row(writing, old, given), is_new=False)
    writing.hold(writing.resource.insert, done.new)
    writing.hold(writing.resource.update, done.merged)
    return done


def _conflict_target(writing: Writing, on_conflict: Sequence[str]) -> tuple[str, ...]:
    """The key columns. Raises Invalid 42P10 when no key has exactly these, or they are ciphertext."""
    target = tuple(on_conflict) or writing.table.primary_key
    known = any(set(target) == set(key) for key in writing.table.keys)
    if not known or not writing.resource.hidden.isdisjoint(target) or not writing.resource.personal.isdisjoint(target):
        raise Invalid(
            "there is no unique constraint matching the ON CONFLICT specification",
            code="42P10",
            details=f"got {', '.join(target)}; wanted the columns of the primary key or of a unique key",
        )
    return target


def existing_row(writing: Writing, target: Sequence[str], values: Mapping[str, SqlValue]) -> Row | None:
    """The row with the same key, visible or not: the key is taken either way."""
    if any(values.get(name) is None for name in target):
        return None
    where = " AND ".join(f"{identifier(name)} = :c{place}" for place, name in enumerate(target))
    sql = f"SELECT {writing.old_columns()} FROM main.{identifier(writing.table.name)} WHERE {where}"
    found = writing.tx.query(Statement(sql, {f"c{place}": values[name] for place, name in enumerate(target)}))
    return found[0] if found else None


def merge_row(writing: Writing, old: Row, given: Mapping[str, Any]) -> Key:
    """Give the row that is there the new values; fixed fields must be as they were."""
    _need_changeable(writing, writing.key_of(old))
    parsed = writing.new_values(given)
    for name in sorted(writing.resource.fixed.intersection(given)):
        if parsed[name] != old[name]:
            raise Invalid(f"{name}: cannot be changed once the row exists; send what is there", field=name)
    changes = writing.changed_values({name: given[name] for name in given if name not in writing.resource.fixed})
    return writing.update(old, changes) if changes else writing.key_of(old)


def _need_changeable(writing: Writing, key: Key) -> None:
    """Refuse to merge into a row that the caller cannot see or may not change. Raises Forbidden 42501."""
    resource, principal = writing.resource, writing.principal
    writing.need_open(resource.update)
    where = " AND ".join(f"{identifier(name)} = :c{place}" for place, name in enumerate(writing.table.primary_key))
    sql = (
        f"SELECT 1 FROM main.{identifier(writing.table.name)} WHERE {where} "
        f"AND ({allowed_sql(resource.read, principal)}) AND ({allowed_sql(resource.update, principal)})"
    )
    values = {**policy_values(principal, writing.now), **{f"c{place}": part for place, part in enumerate(key)}}
    if not writing.tx.query(Statement(sql, values)):
        raise Forbidden(f"new row violates the row policy of {writing.table.name}", code="42501")
