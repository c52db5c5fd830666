"""Reading the audit log by who, what and when; sealed values opened while their keys are there. Judges nobody."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from db.forgetting.export import opened
from db.transaction import ReadTx


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows. Each None = any.

    row_id: the key, or one of its parts. since, until: timestamps, both included. before: rows older than this number.
    """

    actor: str | None = None
    tables: tuple[str, ...] | None = None
    row_id: str | None = None
    since: str | None = None
    until: str | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row. row_id: the key where it is one column of text, else None. old, new: values by column."""

    seq: int
    at: str
    actor: str
    actor_kind: str
    verb: str
    operation: str
    table: str
    row_id: str | None
    old: str | None
    new: str | None

    def values(self, tx: ReadTx) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Old and new values, what was sealed opened."""
        old, new = opened(tx, self.table, self.old), opened(tx, self.table, self.new)
        return (None if old is None else dict(old)), (None if new is None else dict(new))


_NEWEST_FIRST = """
SELECT seq, at, actor, actor_kind, verb, operation, table_name, row_key, old_values, new_values FROM vaultry_audit
 WHERE seq < coalesce(:before, 9223372036854775807)
   AND (:actor IS NULL OR actor = :actor)
   AND (:tables IS NULL OR table_name IN (SELECT value FROM json_each(:tables)))
   AND (:row_id IS NULL OR row_key = json_array(:row_id)
        OR EXISTS (SELECT 1 FROM json_each(row_key) WHERE value = :row_id))
   AND (:until IS NULL OR at <= :until)
 ORDER BY seq DESC
"""


def audit_entries(tx: ReadTx, wanted: AuditFilter) -> Iterator[AuditEntry]:
    """The rows, the newest first; it ends at the first that is too old."""
    tables = None if wanted.tables is None else json.dumps(wanted.tables)
    values = {"before": wanted.before, "actor": wanted.actor, "tables": tables, "row_id": wanted.row_id}
    for row in tx.each(_NEWEST_FIRST, **values, until=wanted.until):
        if wanted.since is not None and row["at"] < wanted.since:
            return
        key = json.loads(row["row_key"])
        row_id = key[0] if len(key) == 1 and isinstance(key[0], str) else None
        who = (row["actor"], row["actor_kind"], row["verb"])
        what = (row["operation"], row["table_name"], row_id, row["old_values"], row["new_values"])
        yield AuditEntry(row["seq"], row["at"], *who, *what)
