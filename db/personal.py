"""Personal columns: sealed text under the vault's data key, and its keyed look-up hash. Knows no table but its own.

A sealed value is text: `p1:` + base64url(nonce of 12 bytes, ciphertext, tag of 16), AES-256-GCM. Its context
(`table.column`) is authenticated, so a value copied into another column does not open there. A look-up hash is `h1:` +
base64url(HMAC-SHA256): equal texts have equal hashes inside one vault, which is what makes an equality search possible
and what it gives away.

A value that cannot be opened raises, in SQL too (SQLite then reports "user-defined function raised exception"; opening
the same text with `PersonalCipher.open` names the cause). NULL would be kinder to the reader and would let the next
update write the loss over the damaged value.
"""

import hmac
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.clock import Moment
from db.errors import Gone, Invalid, VaultError
from db.keyring import KEY_BYTES, KeyRing, decode_base64url, encode_base64url
from db.transaction import ReadTx, SqlValue, WriteTx

SEALED_PREFIX = "p1:"
LOOKUP_PREFIX = "h1:"
# The audit log must show these as redacted: the old value of a destroyed key would outlive its destruction there.
REDACTED_COLUMNS = frozenset({"vaultry_personal_keys.wrapped_key"})
_NONCE_BYTES = 12
_TAG_BYTES = 16


class PersonalCipher:
    """Seals, opens and hashes personal text under one vault's data key; None = that key was destroyed.

    After destruction nothing seals, everything opens to None, and a look-up hash matches no row.
    """

    def __init__(self, data_key: bytes | None, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._sealer: AESGCM | None = None
        self._lookup_key = b""
        if data_key is not None:
            # Two keys from one, so that the hash of a value says nothing about the key it is sealed with.
            self._sealer = AESGCM(hmac.digest(data_key, b"vaultry personal seal", "sha256"))
            self._lookup_key = hmac.digest(data_key, b"vaultry personal lookup", "sha256")

    def __repr__(self) -> str:
        return "PersonalCipher(...)"

    def seal(self, context: str, text: str) -> str:
        """The text as `p1:…`, different at every call. Raises Gone `personal_key_destroyed`, Invalid."""
        if self._sealer is None:
            raise Gone("this vault's personal-data key was destroyed; no personal value can be stored any more",
                       code="personal_key_destroyed")  # fmt: skip
        nonce = self._random_bytes(_NONCE_BYTES)
        return SEALED_PREFIX + encode_base64url(nonce + self._sealer.encrypt(nonce, _utf8(text), context.encode()))

    def open(self, context: str, sealed: str | None) -> str | None:
        """The text that was sealed for this context; None for None, or when the key was destroyed.

        Raises VaultError `personal_unreadable` for damaged or unsealed text, another column's value or another key.
        """
        if sealed is None or self._sealer is None:
            return None
        data = decode_base64url(sealed.removeprefix(SEALED_PREFIX)) if sealed.startswith(SEALED_PREFIX) else None
        if data is None or len(data) < _NONCE_BYTES + _TAG_BYTES:
            raise VaultError(f"{context}: the stored value is not sealed text; wanted {SEALED_PREFIX}…",
                             code="personal_unreadable")  # fmt: skip
        try:
            return self._sealer.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], context.encode()).decode()
        except InvalidTag as exc:
            raise VaultError(f"{context}: the stored value is damaged, or was sealed for another column or key",
                             code="personal_unreadable") from exc  # fmt: skip

    def lookup(self, text: str) -> str:
        """The keyed hash of exactly this text, `h1:…`; normalise it first (an e-mail address: normalise_email).

        With the key destroyed: `h1:` alone, which no stored hash equals.
        """
        if not self._lookup_key:
            return LOOKUP_PREFIX
        return LOOKUP_PREFIX + encode_base64url(hmac.digest(self._lookup_key, _utf8(text), "sha256"))


def ensure_data_key(tx: WriteTx, ring: KeyRing, now: Moment) -> None:
    """Give the vault its data key unless it has one or had one; a destroyed key is not replaced."""
    if tx.value("SELECT 1 FROM vaultry_personal_keys") is None:
        key_id = now.new_id()
        wrapped = ring.wrap(now.random_bytes(KEY_BYTES), key_context(key_id))
        tx.insert("vaultry_personal_keys", id=key_id, wrapped_key=wrapped, created_at=now.text)


def load_cipher(tx: ReadTx, ring: KeyRing) -> PersonalCipher:
    """The cipher of this vault. Raises VaultError `misconfigured` without a key, or under another platform secret.

    The key is bound to its own row, not to the vault's id: a fork reads what it inherited.
    """
    row = tx.row("SELECT id, wrapped_key, destroyed_at FROM vaultry_personal_keys ORDER BY created_at DESC, id DESC")
    if row is None:
        raise VaultError("this vault has no personal-data key; ensure_data_key makes it", code="misconfigured")
    if row["destroyed_at"] is not None:
        return PersonalCipher(None)
    return PersonalCipher(ring.unwrap(row["wrapped_key"], key_context(row["id"])))


def destroy_data_key(tx: WriteTx, now: Moment) -> None:
    """Erase the key: every personal value of this vault reads as NULL from now on.

    Points in time before this commit still hold the wrapped key, until they fall out of the vault's retention; a fork
    made before it keeps a copy of its own.
    """
    tx.execute(
        "UPDATE vaultry_personal_keys SET wrapped_key = '', destroyed_at = :now WHERE destroyed_at IS NULL",
        now=now.text,
    )


def seal_value(cipher: PersonalCipher, context: SqlValue, value: SqlValue) -> str | None:
    """SQL `personal_seal(context, value)`: NULL stays NULL. Raises Invalid for a number or bytes."""
    return None if value is None else cipher.seal(_text(context), _text(value))


def open_value(cipher: PersonalCipher, context: SqlValue, value: SqlValue) -> str | None:
    """SQL `personal_open(context, value)`: NULL stays NULL. Raises as `PersonalCipher.open`."""
    return None if value is None else cipher.open(_text(context), _text(value))


def lookup_value(cipher: PersonalCipher, value: SqlValue) -> str | None:
    """SQL `personal_lookup(value)`: NULL stays NULL. Raises Invalid for a number or bytes."""
    return None if value is None else cipher.lookup(_text(value))


def key_context(key_id: str) -> str:
    """What a wrapped data key is bound to: its own row, wherever that lies."""
    return f"vaultry_personal_keys.{key_id}"


def _text(value: SqlValue) -> str:
    if not isinstance(value, str):
        raise Invalid(f"a personal value is text, got {type(value).__name__}; convert it before it is sealed")
    return value


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise Invalid(f"the text holds half a surrogate pair at character {exc.start}; send complete UTF-8") from exc
