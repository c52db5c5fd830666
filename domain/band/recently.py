"""How often something changed of late, as the audit log tells. Knows its rows; not why somebody asks.

The log has no index by time. It rises with it, so what is recent is read from its end, to the first row that is older.
"""

from db.transaction import ReadTx

_COUNT = """
SELECT count(*) FROM vaultry_audit
 WHERE seq > coalesce((SELECT seq FROM vaultry_audit WHERE at < :since ORDER BY seq DESC LIMIT 1), 0)
   AND table_name = :table AND (:actor IS NULL OR actor = :actor)
   AND (:column IS NULL OR new_values ->> :column IS NOT NULL)
"""


def changes_since(tx: ReadTx, since: str, table: str, *, actor: str | None = None, column: str | None = None) -> int:
    """How many changes of rows of the table there were, the moment itself included.

    actor: only those of this caller. column: only those that gave it a value.
    """
    found: int = tx.value(_COUNT, since=since, table=table, actor=actor, column=column)
    return found
