"""What changes of rows come to in the end, row by row. Knows the audit log's form of values; reads and writes no row.

Several changes of one row are one effect: how it was before the first, how it is after the last. An effect follows its
row when an update gives it another key.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from db.forgetting.sealing import REDACTED, is_sealed
from db.schema.schema import Column, Schema, Table
from db.transaction import SqlValue

Key = tuple[Any, ...]
Noted = dict[str, Any]
# How the audit log writes bytes: told apart from a text of the same characters by the column's type alone.
_BYTES = re.compile(r"\d+ bytes, sha256 [0-9a-f]{64}")
_INFINITE = frozenset({"inf", "-inf"})
_EXACT_TYPES = frozenset({"TEXT", "INTEGER", "INT"})


@dataclass(frozen=True, slots=True)
class RowNote:
    """One change as the audit log notes it. operation: insert, update, delete. old, new: of an update, what differs."""

    seq: int
    operation: str
    table: str
    key: Key
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None


@dataclass(slots=True)
class Effect:
    """What became of one row.

    old_key, new_key: of the row before and after. before, after: None where the row is not there; otherwise the
    columns that were ever changed, and all of them when the row came or went. first_seqs: for each column of `before`,
    the change that overwrote it. first_seq, last_seq: of the changes.
    """

    table: str
    old_key: Key
    new_key: Key
    before: Noted | None
    after: Noted | None
    first_seqs: dict[str, int]
    first_seq: int
    last_seq: int


def parsed_note(seq: int, operation: str, table: str, row_key: str, old: str | None, new: str | None) -> RowNote:
    """The note of a row of the audit log, from its columns."""
    was, now = (None if text is None else _told(json.loads(text)) for text in (old, new))
    return RowNote(seq, operation, table, tuple(json.loads(row_key)), was, now)


def _told(values: dict[str, Any]) -> dict[str, Any]:
    """The values; what is sealed because it can be forgotten is told by kept states only."""
    return {name: REDACTED if is_sealed(value) else value for name, value in values.items()}


def net_effects(notes: Iterable[RowNote], schema: Schema) -> list[Effect]:
    """The effects of the changes in their order; rows that came and went again are left out."""
    effects: list[Effect] = []
    at: dict[tuple[str, Key], Effect] = {}
    for note in notes:
        effect = at.pop((note.table, note.key), None)
        if effect is None:
            before = None if note.operation == "insert" else Noted()
            effect = Effect(note.table, note.key, note.key, before, {}, {}, note.seq, note.seq)
            effects.append(effect)
        _follow(effect, note, schema.tables.get(note.table))
        at[note.table, effect.new_key] = effect
    return [effect for effect in effects if effect.before is not None or effect.after is not None]


def _follow(effect: Effect, note: RowNote, table: Table | None) -> None:
    """Take one more change of the row in."""
    effect.last_seq = note.seq
    if note.operation != "insert":
        _overwrite(effect, note)
    if note.operation == "update":
        effect.after = {**(effect.after or {}), **(note.new or {})}
        effect.new_key = key_after(table, note)
    else:
        effect.after = None if note.operation == "delete" else dict(note.new or {})


def _overwrite(effect: Effect, note: RowNote) -> None:
    """Note how the columns were that this change overwrites for the first time."""
    if effect.before is None:
        return
    for name, value in (note.old or {}).items():
        if name not in effect.first_seqs:
            effect.before[name] = value
            effect.first_seqs[name] = note.seq


def key_after(table: Table | None, note: RowNote) -> Key:
    """The key of the row after a change; that before where none of its parts changed."""
    names = () if table is None else table.primary_key
    new = note.new or {}
    return tuple(new.get(name, part) for name, part in zip(names, note.key, strict=True)) if names else note.key


def tells(column: Column | None, table: Table, value: Any) -> bool:
    """Whether the noted value is the very value of the column: not one that was redacted or written another way."""
    if value == REDACTED or column is None:
        return False
    if not isinstance(value, str) or (table.strict and column.declared_type in _EXACT_TYPES):
        return True
    return _BYTES.fullmatch(value) is None and value not in _INFINITE


def as_noted(value: SqlValue) -> Any:
    """A value as the audit log would note it."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()}"
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value


def same_noted(one: Any, other: Any) -> bool:
    """Whether two noted values are the same: 1 and 1.0 are not, and what is redacted may be."""
    return one == REDACTED or other == REDACTED or (type(one) is type(other) and one == other)
