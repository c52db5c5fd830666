"""What callers of a vault were told, compared with what is there: nothing acknowledged is lost, nothing doubled."""

from collections.abc import Callable, Sequence

from db.errors import CommitUnknown, VaultError
from db.transaction import WriteTx
from db.vault.vault import Vault
from tests.engine.desk import ACTOR


class Ledger:
    """What callers were told: which writes are durable, which failed, which nobody knows of."""

    def __init__(self, acknowledged: Sequence[str] = ()) -> None:
        self.acknowledged: set[str] = set(acknowledged)
        self.refused: set[str] = set()
        self.unknown: set[str] = set()

    def write(self, vault: Vault, name: str) -> None:
        try:
            vault.write(visit(name), ACTOR)
        except CommitUnknown:
            self.unknown.add(name)
        except VaultError:
            self.refused.add(name)
        else:
            self.acknowledged.add(name)

    def check(self, present: Sequence[str]) -> None:
        assert len(set(present)) == len(present)
        assert self.acknowledged <= set(present) <= self.acknowledged | self.unknown


def visit(name: str) -> Callable[[WriteTx], None]:
    """One more visit, and a row that says whose: each of the two tells how often the other took effect."""

    def work(tx: WriteTx) -> None:
        tx.insert("requests", id=name, note=None)
        tx.execute("UPDATE counters SET value = value + 1 WHERE id = 'visits'")

    return work


def visits(vault: Vault) -> int:
    return int(vault.read(lambda tx: tx.value("SELECT value FROM counters WHERE id = 'visits'")).value)
