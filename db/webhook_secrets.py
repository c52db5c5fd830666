"""The secret a vault signs its webhooks with, wrapped in the vault's settings. Knows keys; sends nothing.

Shown and given to receivers as `whsec_` and base64. A rotated secret goes on signing beside the new one for a day, so
that receivers can change over. Source: standardwebhooks.com, specification 1.0.
"""

import base64

from db.clock import Moment
from db.keyring import KEY_BYTES, KeyRing
from db.transaction import ReadTx, WriteTx

OVERLAP_SECONDS = 86400
_CURRENT = "webhook_secret"
_BEFORE = "webhook_secret_before"
_SETTING = "SELECT value FROM vaultry_settings WHERE key = :key"
_SET = """
INSERT INTO vaultry_settings (key, value, updated_at) VALUES (:key, :value, :now)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""
_IN_FORCE = """
SELECT value FROM vaultry_settings WHERE key = :current OR (key = :before AND updated_at > :then)
 ORDER BY key = :current DESC
"""


def webhook_secrets(tx: ReadTx, ring: KeyRing, now: Moment) -> list[bytes]:
    """The secrets in force, the newest first; none before the first webhook. Raises VaultError `misconfigured`."""
    rows = tx.rows(_IN_FORCE, current=_CURRENT, before=_BEFORE, then=now.later(seconds=-OVERLAP_SECONDS))
    context = _context(tx)
    return [ring.unwrap(row["value"], context) for row in rows]


def ensure_webhook_secret(tx: WriteTx, ring: KeyRing, now: Moment) -> bytes:
    """The secret, made now unless there is one."""
    stored = tx.value(_SETTING, key=_CURRENT)
    return _renew(tx, ring, now) if stored is None else ring.unwrap(stored, _context(tx))


def rotate_webhook_secret(tx: WriteTx, ring: KeyRing, now: Moment) -> bytes:
    """A new secret; the one before signs beside it for another day."""
    stored = tx.value(_SETTING, key=_CURRENT)
    if stored is not None:
        tx.execute(_SET, key=_BEFORE, value=stored, now=now.text)
    return _renew(tx, ring, now)


def shown(secret: bytes) -> str:
    """The secret as receivers enter it."""
    return "whsec_" + base64.b64encode(secret).decode()


def _renew(tx: WriteTx, ring: KeyRing, now: Moment) -> bytes:
    secret = now.random_bytes(KEY_BYTES)
    tx.execute(_SET, key=_CURRENT, value=ring.wrap(secret, _context(tx)), now=now.text)
    return secret


def _context(tx: ReadTx) -> str:
    """Bound to the vault it was made in, or forked from: pasted into another it does not open."""
    return f"vaultry_settings.{_CURRENT} of {tx.value(_SETTING, key='origin')}"
