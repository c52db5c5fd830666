"""The register of who was forgotten in which vault. Knows ids and times; opens no vault."""

from collections.abc import Iterable

from db.forgetting.ledger import Forgotten
from db.transaction import ReadTx, WriteTx

_ADD = """
INSERT INTO forgotten_people (vault_id, table_name, row_key, forgotten_at) VALUES (:vault_id, :table, :key, :at)
    ON CONFLICT DO NOTHING
"""
_OF = """
SELECT table_name, row_key, forgotten_at FROM forgotten_people WHERE vault_id = :vault_id
 ORDER BY forgotten_at, table_name, row_key
"""


def register_forgotten(tx: WriteTx, vault_id: str, people: Iterable[Forgotten]) -> int:
    """Enter people; how many were new. One who is there stays as first entered."""
    return sum(tx.execute(_ADD, vault_id=vault_id, table=one.table, key=one.key, at=one.at) for one in people)


def registered_forgotten(tx: ReadTx, vault_id: str) -> list[Forgotten]:
    """Everybody who was forgotten in this vault, the earliest first."""
    return [
        Forgotten(row["table_name"], row["row_key"], row["forgotten_at"]) for row in tx.rows(_OF, vault_id=vault_id)
    ]
