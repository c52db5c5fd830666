"""How many requests each vault has had, as processes report it now and then. Knows totals; not requests."""

from collections.abc import Mapping

from db.transaction import ReadTx, WriteTx


def add_requests(tx: WriteTx, counts: Mapping[str, int]) -> None:
    """Add to the totals. counts: vault id to a number of requests; a vault that is gone meanwhile is passed over."""
    for vault_id, requests in counts.items():
        tx.execute(
            "INSERT INTO vault_requests (vault_id, total) SELECT id, :requests FROM vaults WHERE id = :vault_id"
            " ON CONFLICT (vault_id) DO UPDATE SET total = total + excluded.total",
            vault_id=vault_id,
            requests=requests,
        )


def total_requests(tx: ReadTx, vault_id: str) -> int:
    """Requests of the vault since it was made, as far as reported: those of the last minutes are still under way."""
    return int(tx.value("SELECT total FROM vault_requests WHERE vault_id = :vault_id", vault_id=vault_id) or 0)
