"""What was deleted and can come back for 30 days, and the list of it. Knows the one column that its tables share."""

from dataclasses import dataclass
from typing import Any, LiteralString

from db.clock import Moment, timestamp, timestamp_ms
from db.errors import Conflict, NotFound
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.charter import Args, Verb

DAYS = 30
_DAY_MS = 86_400_000


def open_trash_until(deleted_at: str) -> str:
    """The last moment at which something deleted then can be restored."""
    return timestamp(timestamp_ms(deleted_at) + DAYS * _DAY_MS)


def refuse_deleted(row: Row, noun: str) -> None:
    """Raise Conflict `already_deleted` for a row in the trash."""
    if row["deleted_at"] is not None:
        raise Conflict(f"the {noun} was deleted at {row['deleted_at']}", code="already_deleted")


def refuse_restoring(row: Row, noun: str, now: Moment) -> None:
    """Raise Conflict `not_deleted`, or `restore_window_closed` after 30 days."""
    if row["deleted_at"] is None:
        raise Conflict(f"the {noun} is not deleted", code="not_deleted")
    until = open_trash_until(row["deleted_at"])
    if now.text > until:
        raise Conflict(f"the {noun} could be restored until {until}", code="restore_window_closed")


@dataclass(frozen=True, slots=True)
class Trashable:
    """A table whose rows can be put in the trash. noun: what a row is called; calls name it by `<noun>_id`."""

    table: LiteralString
    noun: LiteralString

    def row(self, tx: ReadTx, row_id: str) -> Row:
        """The row, in the trash or not. Raises NotFound."""
        found = tx.row(f"SELECT * FROM {self.table} WHERE id = :id", id=row_id)
        if found is None:
            raise self._unknown(row_id)
        return found

    def live(self, tx: ReadTx, row_id: str) -> Row:
        """The row that is not in the trash. Raises NotFound."""
        found = self.row(tx, row_id)
        if found["deleted_at"] is not None:
            raise self._unknown(row_id)
        return found

    def discard(self, tx: WriteTx, row_id: str, now: Moment) -> dict[str, Any]:
        """Put the row in the trash: its id, and until when it can come back. Raises NotFound, Conflict."""
        refuse_deleted(self.row(tx, row_id), self.noun)
        self._mark(tx, row_id, now.text, now)
        return {"id": row_id, "restorable_until": open_trash_until(now.text)}

    def bring_back(self, tx: WriteTx, row_id: str, now: Moment) -> dict[str, Any]:
        """Take the row from the trash: its id. Raises NotFound, Conflict `not_deleted`, `restore_window_closed`."""
        refuse_restoring(self.row(tx, row_id), self.noun, now)
        self._mark(tx, row_id, None, now)
        return {"id": row_id}

    def _mark(self, tx: WriteTx, row_id: str, deleted_at: str | None, now: Moment) -> None:
        sql = f"UPDATE {self.table} SET deleted_at = :deleted_at, updated_at = :now WHERE id = :id"
        tx.execute(sql, id=row_id, deleted_at=deleted_at, now=now.text)

    def _unknown(self, row_id: str) -> NotFound:
        return NotFound(f"{self.noun} {row_id}: unknown", field=f"{self.noun}_id")


def trash_verb(name: str, noun: str, select: LiteralString, permission: str) -> Verb:
    """The verb that lists what of one kind is in the trash, the last first, and until when it can come back.

    select: a statement without order whose rows have `id` and `deleted_at`.
    """
    ordered = f"{select} ORDER BY deleted_at DESC, id"

    def trash(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
        """The rows, each with `restorable_until`."""
        return [dict(row) | {"restorable_until": open_trash_until(row["deleted_at"])} for row in tx.rows(ordered)]

    return Verb(name, trash, False, f"{noun} in the trash, and until when they can come back.", (permission,))
