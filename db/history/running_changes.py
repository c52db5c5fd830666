"""What the running transaction has changed so far, as the audit log will note it. Knows that log's TEMP table."""

from collections.abc import Iterator
from dataclasses import replace

from db.history.row_effects import Effect, RowNote, net_effects, parsed_note, same_noted
from db.schema.schema import Schema
from db.transaction import WriteTx

_NOTED = "SELECT n, operation, table_name, row_key, old_values, new_values FROM temp.audit_pending ORDER BY n"


def effects_so_far(tx: WriteTx, schema: Schema) -> list[Effect]:
    """The effects of this work's statements up to now, with those of triggers and cascades; nothing is redacted."""
    return net_effects(_notes(tx), schema)


def _notes(tx: WriteTx) -> Iterator[RowNote]:
    for row in tx.rows(_NOTED):
        note = parsed_note(*row)
        if note.old is None or note.new is None:
            yield note
            continue
        changed = [name for name, new in note.new.items() if not same_noted(note.old.get(name), new)]
        if changed:
            was, now = ({name: side[name] for name in changed} for side in (note.old, note.new))
            yield replace(note, old=was, new=now)
