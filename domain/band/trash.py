"""What was deleted and can come back for 30 days. Knows the one column they share; not the tables."""

from db.clock import Moment, timestamp, timestamp_ms
from db.errors import Conflict
from db.transaction import Row

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
