"""Key pairs that sign access tokens: create, activate, revoke, publish. Knows keys; not tokens or HTTP.

A key is published before it signs, for at least the hour that others may cache the published set; it stays published
after its successor took over, for as long as tokens and cookies signed by it may live.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from db.clock import Moment
from db.errors import Conflict, NotFound, VaultError
from db.key_pairs import (
    ES256,
    PrivateKey,
    PublicKey,
    make_private_key,
    private_key_from,
    public_jwk,
    public_key_from,
    secret_of,
)
from db.keyring import KeyRing
from db.transaction import ReadTx, Row, WriteTx

PUBLISHED_SECONDS = 3600
ROTATE_SECONDS = 90 * 86400
RETIRE_SECONDS = 30 * 86400

VerificationKeys = Mapping[str, PublicKey]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair without its private half. activated_at None = published only; revoked_at None = trusted.

    algorithm: `alg` of what it signs, ES256 or EdDSA.
    """

    id: str
    key_id: str
    algorithm: str
    created_at: str
    activated_at: str | None
    revoked_at: str | None


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signs now, and the name it is published under."""

    key_id: str
    private_key: PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What one run of the rotation did: key ids, empty where nothing was due."""

    created: tuple[str, ...] = ()
    activated: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()


def create_signing_key(tx: WriteTx, ring: KeyRing, now: Moment, algorithm: str = ES256) -> SigningKey:
    """A new pair, published and not signing; its private half is stored sealed under the platform's secret."""
    key = make_private_key(algorithm, now.random_bytes)
    row_id, key_id = now.new_id(), now.token_hex(8)
    tx.insert(
        "signing_keys",
        id=row_id,
        key_id=key_id,
        algorithm=algorithm,
        public_key=json.dumps(public_jwk(key)),
        private_key=ring.wrap(secret_of(key), _context(key_id)),
        created_at=now.text,
    )
    return SigningKey(row_id, key_id, algorithm, now.text, None, None)


def activate_signing_key(tx: WriteTx, key_id: str, now: Moment, *, at_once: bool = False) -> SigningKey:
    """The key, signing from now on; twice is once.

    at_once: skip the hour of being published, when the signing key has leaked; tokens may fail elsewhere meanwhile.
    The hour is skipped too when no other key signs. Raises NotFound, Conflict `key_revoked` or `key_too_young`.
    """
    key = _required(tx, key_id)
    if key.revoked_at is not None:
        raise Conflict(f"signing key {key_id} was revoked at {key.revoked_at}; create another", code="key_revoked")
    if key.activated_at is not None:
        return key
    if not at_once and key.created_at > _hour_ago(now) and _signing_row(tx, now) is not None:
        raise Conflict(
            f"signing key {key_id} is published since {key.created_at}; verifiers may not have fetched it yet",
            code="key_too_young",
            hint="activate it an hour after it was created",
        )
    tx.execute("UPDATE signing_keys SET activated_at = :now WHERE key_id = :key_id", key_id=key_id, now=now.text)
    return _required(tx, key_id)


def revoke_signing_key(tx: WriteTx, key_id: str, now: Moment) -> SigningKey:
    """The key, trusted no more: tokens it signed fail from the next look at the published set. Raises NotFound."""
    revoke = "UPDATE signing_keys SET revoked_at = :now WHERE key_id = :key_id AND revoked_at IS NULL"
    tx.execute(revoke, key_id=key_id, now=now.text)
    return _required(tx, key_id)


def current_signer(tx: ReadTx, ring: KeyRing, now: Moment) -> Signer:
    """The newest activated key that is not revoked. Raises VaultError `misconfigured` when there is none."""
    row = _signing_row(tx, now)
    if row is None:
        raise VaultError(
            "no signing key is activated, so nobody can be signed in",
            code="misconfigured",
            hint="create a signing key and activate it",
        )
    secret = ring.unwrap(row["private_key"], _context(row["key_id"]))
    return Signer(row["key_id"], private_key_from(row["algorithm"], secret))


def list_signing_keys(tx: ReadTx) -> list[SigningKey]:
    """Every key, newest first, revoked ones included."""
    return [_key(row) for row in tx.rows("SELECT * FROM signing_keys ORDER BY created_at DESC, id DESC")]


_TRUSTED = "SELECT key_id, algorithm, public_key FROM signing_keys WHERE revoked_at IS NULL ORDER BY created_at, id"


def jwks(tx: ReadTx) -> dict[str, list[dict[str, Any]]]:
    """The JWK set of every key not revoked, those that do not sign yet included. Source: RFC 7517."""
    extra = {"use": "sig", "key_ops": ["verify"]}
    rows = tx.rows(_TRUSTED)
    return {
        "keys": [
            {**json.loads(row["public_key"]), "kid": row["key_id"], "alg": row["algorithm"], **extra} for row in rows
        ]
    }


def verification_keys(tx: ReadTx) -> VerificationKeys:
    """The public keys not revoked, by key id; fit to be kept for 5 minutes, and fetched again for an unknown id."""
    return {row["key_id"]: public_key_from(json.loads(row["public_key"])) for row in tx.rows(_TRUSTED)}


_WAITING = """
SELECT key_id FROM signing_keys WHERE activated_at IS NULL AND revoked_at IS NULL ORDER BY created_at, id LIMIT 1
"""
_RIPE = "SELECT 1 FROM signing_keys WHERE key_id = :key_id AND created_at <= :then"


def rotate_signing_keys(tx: WriteTx, ring: KeyRing, now: Moment, algorithm: str = ES256) -> Rotation:
    """Do what is due, if anything; safe to run as often as one likes.

    No signer: create and activate. A key waits for an hour: activate it. The signer is 90 days old, or not of this
    algorithm: create the next. A key was succeeded 30 days ago: revoke it.
    """
    created: tuple[str, ...] = ()
    activated: tuple[str, ...] = ()
    signer = _signing_row(tx, now)
    waiting = tx.value(_WAITING)
    if waiting is None and (signer is None or _is_due(signer, algorithm, now)):
        waiting = create_signing_key(tx, ring, now, algorithm).key_id
        created = (waiting,)
    if waiting is not None and (signer is None or tx.value(_RIPE, key_id=waiting, then=_hour_ago(now)) is not None):
        activated = (activate_signing_key(tx, waiting, now).key_id,)
    revoked = tuple(revoke_signing_key(tx, key_id, now).key_id for key_id in _succeeded(tx, now))
    return Rotation(created, activated, revoked)


def _is_due(signer: Row, algorithm: str, now: Moment) -> bool:
    """Whether the signing key ought to get a successor."""
    return bool(signer["algorithm"] != algorithm or signer["activated_at"] <= now.later(seconds=-ROTATE_SECONDS))


_SUCCEEDED = """
SELECT key_id FROM signing_keys AS old
 WHERE revoked_at IS NULL AND activated_at IS NOT NULL
   AND EXISTS (SELECT 1 FROM signing_keys AS newer
                WHERE newer.revoked_at IS NULL AND newer.activated_at <= :then
                  AND (newer.activated_at, newer.id) > (old.activated_at, old.id))
"""


def _succeeded(tx: ReadTx, now: Moment) -> list[str]:
    """Keys whose successor has been signing for 30 days."""
    return [row["key_id"] for row in tx.rows(_SUCCEEDED, then=now.later(seconds=-RETIRE_SECONDS))]


_SIGNING = """
SELECT * FROM signing_keys WHERE revoked_at IS NULL AND activated_at <= :now
 ORDER BY activated_at DESC, id DESC LIMIT 1
"""


def _signing_row(tx: ReadTx, now: Moment) -> Row | None:
    return tx.row(_SIGNING, now=now.text)


def _hour_ago(now: Moment) -> str:
    return now.later(seconds=-PUBLISHED_SECONDS)


def _required(tx: ReadTx, key_id: str) -> SigningKey:
    row = tx.row("SELECT * FROM signing_keys WHERE key_id = :key_id", key_id=key_id)
    if row is None:
        raise NotFound(f"no signing key {key_id}")
    return _key(row)


def _key(row: Row) -> SigningKey:
    return SigningKey(
        row["id"], row["key_id"], row["algorithm"], row["created_at"], row["activated_at"], row["revoked_at"]
    )


def _context(key_id: str) -> str:
    return f"signing_keys.{key_id}"
