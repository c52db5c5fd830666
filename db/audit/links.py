"""The audit chain in pieces: its head, one link, a stretch verified. Knows rows and keys; no anchor and no tenant.

Each call is a read of its own, so that nobody waits for a long chain: rows are never changed, only added.
"""

import hmac
import sqlite3
from dataclasses import dataclass

from db.audit.trail import chain_mac, pruned_through
from db.errors import VaultError
from db.keyring import KeyRing
from db.transaction import ReadTx
from db.vault.opening import read_audit_key
from db.vault.vault import FIRST_UNCONSTRAINED, Vault

_HAS_LOG = "SELECT 1 FROM sqlite_schema WHERE name = 'vaultry_audit'"
_HEAD = "SELECT seq, mac FROM vaultry_audit ORDER BY seq DESC LIMIT 1"
_LINK = "SELECT seq, mac FROM vaultry_audit WHERE seq = ?"
_STRETCH = """
SELECT seq, at, actor, actor_kind, request_id, verb, operation, table_name, row_key, old_values, new_values, mac
  FROM vaultry_audit WHERE seq > ? ORDER BY seq LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Link:
    """One row of the chain. mac: 64 hex digits."""

    seq: int
    mac: str


def chain_head(vault: Vault) -> Link | None:
    """The newest link; None for a vault without audit rows."""

    def head(connection: sqlite3.Connection) -> Link | None:
        return _link(connection, _HEAD) if connection.execute(_HAS_LOG).fetchone() else None

    return vault.read_raw(lambda connection, _: head(connection)).value


def link_at(vault: Vault, seq: int) -> Link | None:
    """The link of that number, or None."""
    return vault.read_raw(lambda connection, _: _link(connection, _LINK, seq), FIRST_UNCONSTRAINED).value


def verify_links(vault: Vault, keyring: KeyRing, after: int, limit: int) -> tuple[int, str | None]:
    """The number of the last of at most `limit` links after `after` that hold, and what is wrong with the next, if any.

    Raises VaultError `misconfigured` for a vault without the key.
    """

    def verify(connection: sqlite3.Connection) -> tuple[int, str | None]:
        key = read_audit_key(connection, keyring)
        if key is None:
            raise VaultError("the vault has no audit key", code="misconfigured")
        pruned, pruned_mac = pruned_through(ReadTx(connection))
        before = _link(connection, _LINK, after)
        if after > pruned and before is None:
            return after - 1, f"audit row {after} is missing"
        previous = pruned_mac if before is None else bytes.fromhex(before.mac)
        expected = max(after, pruned) + 1
        for row in connection.execute(_STRETCH, (expected - 1, limit)):
            *entry, mac = tuple(row)
            if entry[0] != expected:
                return expected - 1, f"audit row {expected} is missing"
            if not hmac.compare_digest(chain_mac(key, previous, tuple(entry)), mac):
                return expected - 1, f"audit row {expected} was changed"
            previous, expected = mac, expected + 1
        return expected - 1, None

    return vault.read_raw(lambda connection, _: verify(connection), FIRST_UNCONSTRAINED).value


def _link(connection: sqlite3.Connection, sql: str, *values: int) -> Link | None:
    row = connection.execute(sql, values).fetchone()
    return None if row is None else Link(row[0], row[1].hex())
