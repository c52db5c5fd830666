"""Undoing one request: its rows as they were before, in one ordinary transaction. Knows plans and rows; no past.

Triggers that answer to the way back are undone as well: in the end exactly the request's own rows have changed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from db.errors import Conflict, Details
from db.forgetting.sealing import REDACTED
from db.history.row_effects import Effect, Key, as_noted, parsed_note, same_noted, tells
from db.history.row_writes import NAMED, RowWrite, carry_out, key_names, read_row, row_name, writable
from db.history.running_changes import effects_so_far
from db.history.undo_plan import RESTORE, UndoPlan, Wanted
from db.schema.schema import Schema, Table, read_schema
from db.transaction import ReadTx, SqlValue, WriteTx

_PASSES = 4


@dataclass(slots=True)
class Undone:
    """What an undo did. effects: rows as they changed. besides: rows that went along, in words; only when forced."""

    effects: list[Effect] = field(default_factory=list[Effect])
    besides: list[str] = field(default_factory=list[str])


def undo(tx: WriteTx, plan: UndoPlan, *, force: bool) -> Undone:
    """Bring the rows back, in this transaction.

    force: also rows that changed since; leave those out whose values nobody knows; accept what goes along.
    Raises Conflict: row_changed_since, values_unknown, undo_blocked (others' rows would go along), or a constraint's.
    """
    schema = read_schema(tx)
    if not force:
        _refuse_changed(tx, plan)
        _refuse_unknown(plan)
    wanted = [row for row in plan.wanted if not row.unknown]
    carry_out(tx, [write for row in wanted if (write := _way_back(row)) is not None])
    besides = _settle(tx, schema, wanted, force=force)
    return Undone(effects_so_far(tx, schema), besides)


def _refuse_unknown(plan: UndoPlan) -> None:
    lost = [f"{row.name}: {', '.join(row.unknown)}" for row in plan.wanted if row.unknown]
    if lost:
        raise Conflict(
            f"{len(lost)} rows had values that neither the audit log nor a kept state tells; nothing was changed",
            code="values_unknown",
            details="; ".join(lost[:NAMED]),
            hint="--force undoes the others",
        )


def _refuse_changed(tx: ReadTx, plan: UndoPlan) -> None:
    changed = list(_changed_since(tx, plan))
    if changed:
        raise Conflict(
            f"{len(changed)} rows changed since that request; nothing was changed",
            code="row_changed_since",
            details="; ".join(changed[:NAMED]) + (f"; and {len(changed) - NAMED} more" if len(changed) > NAMED else ""),
            hint="--force sets back what the request changed, whatever came later",
        )


_RESTORED = "SELECT 1 FROM vaultry_audit WHERE seq > :first AND operation = 'note' AND table_name = :name"
_SINCE = """
SELECT seq, table_name, row_key, request_id FROM vaultry_audit
 WHERE seq > :first AND request_id <> :request_id AND operation <> 'note'
   AND table_name IN (SELECT value FROM json_each(:tables)) ORDER BY seq
"""


def _changed_since(tx: ReadTx, plan: UndoPlan) -> Iterator[str]:
    """The rows that are not as the request left them: by the audit log, or by what is there now."""
    rows = {(row.table.name, key): row for row in plan.wanted for key in _places(row.effect)}
    later: dict[str, list[str]] = {}
    tables = json.dumps(sorted({table for table, _ in rows}))
    for found in tx.rows(_SINCE, first=plan.first_seq, request_id=plan.request_id, tables=tables):
        note = parsed_note(found["seq"], "", found["table_name"], found["row_key"], None, None)
        row = rows.get((note.table, note.key))
        if row is not None and note.seq > row.effect.first_seq:
            later.setdefault(row.name, []).append(found["request_id"])
    restored = tx.value(_RESTORED, first=plan.first_seq, name=RESTORE) is not None
    left = {(row.table.name, row.effect.new_key) for row in plan.wanted if row.effect.after is not None}
    for row in plan.wanted:
        if row.name in later:
            yield f"{row.name} (request {', '.join(dict.fromkeys(later[row.name]))})"
        elif not _as_left(tx, row, left) or (restored and REDACTED in (row.effect.after or {}).values()):
            yield f"{row.name} (not by a request: a restore or a migration)"


def _places(effect: Effect) -> set[Key]:
    """The keys at which a later change concerns the row: its last one, and the one at which it was if it is gone."""
    return {effect.new_key} if effect.after is not None else {effect.new_key, effect.old_key}


def _as_left(tx: ReadTx, row: Wanted, left: set[tuple[str, Key]]) -> bool:
    """Whether the row is as the request left it. left: where the request's other rows are."""
    if row.effect.after is None:
        free = (row.table.name, row.effect.old_key) in left
        return free or read_row(tx, row.table, row.effect.old_key) is None
    present = read_row(tx, row.table, row.effect.new_key)
    return present is not None and all(
        same_noted(as_noted(present[name]), value) for name, value in row.effect.after.items() if name in present
    )


def _way_back(row: Wanted) -> RowWrite | None:
    """The write that brings a row back; None when there is nothing to write."""
    if row.values is None:
        return RowWrite("delete", row.table, row.effect.new_key, {})
    if row.effect.after is None:
        return RowWrite("insert", row.table, None, row.values)
    return RowWrite("update", row.table, row.effect.new_key, row.values) if row.values else None


def _settle(tx: WriteTx, schema: Schema, wanted: Sequence[Wanted], *, force: bool) -> list[str]:
    """Undo what triggers and cascades did on the way back; the rows for which that failed, when forced."""
    for _ in range(_PASSES):
        writes, lost = _deviations(effects_so_far(tx, schema), schema, wanted)
        if not writes and not lost:
            return []
        blocked = _blocked(tx, writes, lost)
        if blocked is not None:
            if force:
                break
            raise blocked
    writes, lost = _deviations(effects_so_far(tx, schema), schema, wanted)
    besides = lost + [write.name for write in writes]
    if besides and not force:
        raise Conflict(
            "triggers answer to the way back without end; nothing was changed",
            code="undo_blocked",
            details="; ".join(besides[:NAMED]),
            hint="--force accepts what they did",
        )
    return besides


def _blocked(tx: WriteTx, writes: Sequence[RowWrite], lost: Sequence[str]) -> Conflict | None:
    """Set rows right; why that cannot be, or None."""
    details: Details | None = "; ".join(lost[:NAMED])
    if not lost:
        try:
            carry_out(tx, writes)
        except Conflict as exc:
            details = exc.details
        else:
            return None
    return Conflict(
        "undoing it would change rows that the request did not; nothing was changed",
        code="undo_blocked",
        details=details,
        hint="--force lets them go along",
    )


def _deviations(
    effects: Sequence[Effect], schema: Schema, wanted: Sequence[Wanted]
) -> tuple[list[RowWrite], list[str]]:
    """What is to be written so that only the wanted rows differ from before this transaction; rows nobody can write."""
    there = {(row.table.name, row.effect.new_key): row for row in wanted if row.effect.after is not None}
    gone = {(row.table.name, row.effect.old_key): row for row in wanted if row.effect.after is None}
    writes: list[RowWrite] = []
    lost: list[str] = []
    for effect in effects:
        table = schema.tables[effect.table]
        row = (gone if effect.before is None else there).get((effect.table, effect.old_key))
        found = _correction(effect, table, row)
        if isinstance(found, str):
            lost.append(found)
        elif found is not None:
            writes.append(found)
    return writes, lost


def _correction(effect: Effect, table: Table, row: Wanted | None) -> RowWrite | str | None:
    """The write that corrects one row, the row in words when its values are not known, None when it is right."""
    wished = row.values if row is not None else effect.before
    if wished is None:
        return None if effect.after is None else RowWrite("delete", table, effect.new_key, {})
    kept = writable(table)
    whole = {**(effect.before or {}), **wished}
    after = effect.after
    names = [
        name
        for name, value in whole.items()
        if name in kept or name in key_names(table)
        if after is None or (name in after and not same_noted(as_noted(value), after[name]))
    ]
    if not names:
        return None
    given: Mapping[str, SqlValue] = wished if row is not None else {}
    if any(name not in given and not tells(table.column(name), table, whole[name]) for name in names):
        return row_name(effect.table, effect.old_key)
    values = {name: whole[name] for name in names}
    return (
        RowWrite("insert", table, None, values) if after is None else RowWrite("update", table, effect.new_key, values)
    )
