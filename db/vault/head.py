"""Where a copy stands: one durable commit. Data only."""

from dataclasses import dataclass

from db.log.ltx import TXID


@dataclass(frozen=True, slots=True)
class Head:
    """The durable commit a copy stands at.

    node_id: the commit's nonce. timestamp_ms: of the commit. checked_ms: when the log was last seen to end here.
    """

    txid: TXID
    node_id: int
    timestamp_ms: int
    checked_ms: int


NOWHERE = Head(TXID(0), 0, 0, 0)
