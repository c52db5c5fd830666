"""Where each vault's audit chain was last seen to stand. Knows numbers and digests; reads no chain."""

from dataclasses import dataclass

from db.clock import Moment
from db.transaction import ReadTx, WriteTx


@dataclass(frozen=True, slots=True)
class Anchor:
    """One link of a chain. seq: number of its row. mac: 64 hex digits."""

    seq: int
    mac: str


def find_anchor(tx: ReadTx, vault_id: str) -> Anchor | None:
    """The newest anchor of the vault, or None."""
    row = tx.row("SELECT seq, mac FROM audit_anchors WHERE vault_id = :vault", vault=vault_id)
    return None if row is None else Anchor(row["seq"], row["mac"])


_RECORD = """
INSERT INTO audit_anchors (vault_id, seq, mac, anchored_at) VALUES (:vault, :seq, :mac, :now)
ON CONFLICT (vault_id) DO UPDATE SET seq = excluded.seq, mac = excluded.mac, anchored_at = excluded.anchored_at
 WHERE seq < excluded.seq
"""


def record_anchor(tx: WriteTx, vault_id: str, anchor: Anchor, now: Moment) -> None:
    """Keep the anchor unless a later one is known."""
    tx.execute(_RECORD, vault=vault_id, seq=anchor.seq, mac=anchor.mac, now=now.text)
