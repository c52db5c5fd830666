"""A desk whose commits are dated one second apart, for proofs about its history; and what its audit log says."""

import sqlite3
from pathlib import Path

from db.audit.trail import verify_chain
from db.history.points import restore
from db.personal import REDACTED_COLUMNS
from db.stores.base import ObjectStore
from db.transaction import Actor, ReadTx
from db.vault.opening import Kind, create_vault, read_audit_key
from db.vault.vault import Vault
from tests.engine.desk import ACTOR, KEYS, KIND, START_MS, Clock, note, site

DESK = Kind(KIND.sets, KIND.redacted | REDACTED_COLUMNS)
OPERATOR = Actor("person-9", "operator", "request-9", "vault.restore")
SEAL = "INSERT INTO people (id, email) VALUES (1, personal_seal('people.email', 'mari@example.ee'))"
OPEN = "SELECT personal_open('people.email', email) FROM people WHERE id = 1"


class Desk:
    """A vault, the place it is kept at, and the clock by which its commits are dated, one second apart."""

    def __init__(self, store: ObjectStore, tmp_path: Path, vault_id: str = "desk") -> None:
        self.clock = Clock(START_MS)
        self.site = site(store, tmp_path / "cache", self.clock)
        self.vault = create_vault(self.site, vault_id, DESK)

    def write(self, request: str) -> str:
        """One second later, leave a row; the bookmark of that commit."""
        self.clock.ms += 1000
        return self.vault.write(note(request), ACTOR).bookmark

    def restore(self, at: str) -> str:
        """One second later, go back; the bookmark before."""
        self.clock.ms += 1000
        before = self.vault.bookmark
        restore(self.vault, self.site, at, OPERATOR)
        return before


def audit(vault: Vault) -> list[tuple[str, str, str]]:
    rows = vault.read(lambda tx: tx.rows("SELECT actor, operation, row_key FROM vaultry_audit ORDER BY seq")).value
    return [tuple(row) for row in rows]


def opened_email(vault: Vault) -> str | None:
    return vault.read(lambda tx: tx.value(OPEN)).value


def chain_of(vault: Vault) -> tuple[int, str | None]:
    """The verdict on the audit log, by the key that the vault's own settings name."""

    def verify(connection: sqlite3.Connection) -> tuple[int, str | None]:
        key = read_audit_key(connection, KEYS)
        assert key is not None
        return verify_chain(ReadTx(connection), key)

    return vault.read_raw(lambda connection, _: verify(connection)).value
