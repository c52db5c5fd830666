"""The platform's secret and every key made from it; random tokens and their digests. Knows bytes; not tables."""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from db.clock import Moment
from db.errors import VaultError

SECRET_CHARACTERS = 32
KEY_BYTES = 32
TOKEN_BYTES = 32
_NONCE_BYTES = 12
_WRAPPED = "w1:"
_SALT = b"vaultry key ring 1"


class KeyRing:
    """Subkeys of one platform secret, one per purpose, and the wrapping of keys that are stored.

    A subkey gives away neither the secret nor another subkey. The secret itself is not kept.
    """

    def __init__(self, secret: str, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        """Take the secret (VAULTRY_SECRET): random text of 32 characters or more; it is derived from, not stretched.

        Raises VaultError `misconfigured` for a shorter one.
        """
        if len(secret) < SECRET_CHARACTERS:
            raise VaultError(
                f"VAULTRY_SECRET has {len(secret)} characters, wanted {SECRET_CHARACTERS} or more of random text",
                code="misconfigured",
                hint="make one with: openssl rand -base64 48",
            )
        self._root = _derive(secret.encode("utf-8", "surrogateescape"), b"root")
        self._random_bytes = random_bytes
        self._wrapper = AESGCM(self.subkey("wrap stored keys"))

    def __repr__(self) -> str:
        return "KeyRing(...)"

    def subkey(self, purpose: str) -> bytes:
        """The 32-byte key of a purpose; the same text gives the same key. Source: RFC 5869."""
        return _derive(self._root, b"subkey:" + purpose.encode())

    def mac(self, purpose: str, text: str) -> str:
        """HMAC-SHA256 of the text under the purpose's subkey, as 64 hex digits."""
        return hmac.digest(self.subkey(purpose), text.encode("utf-8", "surrogatepass"), "sha256").hex()

    def wrap(self, key: bytes, context: str) -> str:
        """A key sealed for storing, as text `w1:…`. context: where it is stored; it must be named again to unwrap."""
        nonce = self._random_bytes(_NONCE_BYTES)
        return _WRAPPED + encode_base64url(nonce + self._wrapper.encrypt(nonce, key, context.encode()))

    def unwrap(self, wrapped: str, context: str) -> bytes:
        """The key that was wrapped for this context. Raises VaultError `misconfigured` under another secret."""
        sealed = decode_base64url(wrapped.removeprefix(_WRAPPED)) if wrapped.startswith(_WRAPPED) else None
        try:
            return self._wrapper.decrypt(
                (sealed or b"")[:_NONCE_BYTES], (sealed or b"")[_NONCE_BYTES:], context.encode()
            )
        except (InvalidTag, ValueError) as exc:
            raise VaultError(
                f"the key stored for {context} cannot be unwrapped: VAULTRY_SECRET differs from the one it was "
                "wrapped with, or the stored text is damaged",
                code="misconfigured",
                hint="start with the secret this platform was set up with",
            ) from exc


def random_token(prefix: str, now: Moment) -> str:
    """A new token of 256 random bits: the prefix, then 43 characters of base64url."""
    return prefix + encode_base64url(now.random_bytes(TOKEN_BYTES))


def token_digest(token: str) -> str:
    """What is stored and searched in place of a random token: SHA-256 as 64 hex digits.

    No salt and no stretching: nobody can guess 256 random bits. For anything guessable use KeyRing.mac.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def encode_base64url(data: bytes) -> str:
    """Base64url without padding. Source: RFC 4648 section 5."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes | None:
    """The bytes of unpadded base64url, or None for any text that `encode_base64url` would not have written."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    return data if encode_base64url(data) == text else None


def _derive(key: bytes, info: bytes) -> bytes:
    """32 bytes by HKDF-SHA256."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=_SALT, info=info).derive(key)
