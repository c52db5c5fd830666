"""Vaults outside the directory: forks of a rehearsal, tenants in the making. Knows ids; makes and removes none.

A vault is listed here before it is made and struck out when it has been removed, or has entered the directory. So what
a killed process leaves behind is known.
"""

from collections.abc import Sequence
from typing import Literal

from db.clock import Moment
from db.transaction import ReadTx, WriteTx

# After so long nobody is at work with them any more: a process lists few at a time.
ABANDONED_S = 3600
Purpose = Literal["rehearsal", "provisioning"]


def list_scratch(tx: WriteTx, run_id: str, purpose: Purpose, vault_ids: Sequence[str], now: Moment) -> None:
    """Note vaults that are about to be made."""
    for vault_id in vault_ids:
        tx.insert("scratch_vaults", id=vault_id, purpose=purpose, run_id=run_id, created_at=now.text)


def strike_scratch(tx: WriteTx, vault_ids: Sequence[str]) -> None:
    """Forget vaults that were removed or entered the directory; twice is once."""
    for vault_id in vault_ids:
        tx.execute("DELETE FROM scratch_vaults WHERE id = :id", id=vault_id)


def scratch_runs(tx: ReadTx) -> list[str]:
    """The runs that have vaults listed; without those that were taken over."""
    runs = "SELECT DISTINCT run_id FROM scratch_vaults WHERE run_id <> '' ORDER BY run_id"
    return [row["run_id"] for row in tx.rows(runs)]


def scratch_of_run(tx: ReadTx, run_id: str) -> list[str]:
    """Ids of the vaults listed by a run."""
    return [row["id"] for row in tx.rows("SELECT id FROM scratch_vaults WHERE run_id = :run ORDER BY id", run=run_id)]


def abandoned_scratch(tx: ReadTx, now: Moment, most: int) -> list[str]:
    """Ids of the vaults listed longest ago whose hour is over."""
    then = now.later(seconds=-ABANDONED_S)
    old = "SELECT id FROM scratch_vaults WHERE created_at < :then ORDER BY created_at, id LIMIT :most"
    return [row["id"] for row in tx.rows(old, then=then, most=most)]


def take_over_scratch(tx: WriteTx, vault_ids: Sequence[str]) -> None:
    """Take the vaults from their run: should its process live after all, it finds that they are its own no more."""
    for vault_id in vault_ids:
        tx.execute("UPDATE scratch_vaults SET run_id = '' WHERE id = :id", id=vault_id)


def scratch_lists(tx: ReadTx, vault_id: str) -> bool:
    """Whether the vault is still its maker's to enter in the directory; if not, it took too long and was removed."""
    return tx.value("SELECT 1 FROM scratch_vaults WHERE id = :id AND run_id <> ''", id=vault_id) is not None


def listed_scratch(tx: ReadTx, vault_ids: Sequence[str]) -> list[str]:
    """Those of the vaults that are listed, whoever has them; one that entered the directory is not."""
    look = "SELECT 1 FROM scratch_vaults WHERE id = :id"
    return [vault_id for vault_id in vault_ids if tx.value(look, id=vault_id) is not None]
