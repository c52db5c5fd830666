"""Keys sealed under a passphrase that a person keeps. Knows one key derivation; not whose keys, nor where they lie.

Argon2id with the first recommended parameters of RFC 9106 that a small machine has memory for, then AES-256-GCM. The
parameters travel along, so that they may rise later.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.errors import Invalid
from db.keyring import KEY_BYTES, decode_base64url, encode_base64url

CHARACTERS = 12
_KDF = "argon2id"
_PASSES = 3
_MEMORY_KIB = 65_536
_LANES = 4
# What a stranger's archive may ask of this machine.
_MOST_PASSES = 20
_MOST_MEMORY_KIB = 1_048_576
_MOST_LANES = 16
_SALT_BYTES = 16
_NONCE_BYTES = 12


def wrap_under(
    passphrase: str, key: bytes, context: str, random_bytes: Callable[[int], bytes] = os.urandom
) -> dict[str, Any]:
    """The key, sealed, with everything but the passphrase that opening it takes; fit for JSON.

    context: must be named again to open it. Raises Invalid `passphrase_short` for one of less than 12 characters.
    """
    if len(passphrase) < CHARACTERS:
        raise Invalid(
            f"got a passphrase of {len(passphrase)} characters, wanted {CHARACTERS} or more", code="passphrase_short"
        )
    salt, nonce = random_bytes(_SALT_BYTES), random_bytes(_NONCE_BYTES)
    wrapper = AESGCM(_derived(passphrase, salt, _PASSES, _MEMORY_KIB, _LANES))
    return {
        "kdf": _KDF,
        "passes": _PASSES,
        "memory_kib": _MEMORY_KIB,
        "lanes": _LANES,
        "salt": encode_base64url(salt),
        "nonce": encode_base64url(nonce),
        "sealed": encode_base64url(wrapper.encrypt(nonce, key, context.encode())),
    }


def unwrap_under(passphrase: str, wrapped: Mapping[str, Any], context: str) -> bytes:
    """The key. Raises Invalid `passphrase_wrong`, or `wrapping_unknown` for a form this code does not know."""
    passes, memory_kib, lanes = (wrapped.get(name) for name in ("passes", "memory_kib", "lanes"))
    salt, nonce, sealed = (decode_base64url(str(wrapped.get(name, ""))) for name in ("salt", "nonce", "sealed"))
    known = (
        wrapped.get("kdf") == _KDF
        and isinstance(passes, int) and 1 <= passes <= _MOST_PASSES
        and isinstance(lanes, int) and 1 <= lanes <= _MOST_LANES
        and isinstance(memory_kib, int) and 8 * lanes <= memory_kib <= _MOST_MEMORY_KIB
    )  # fmt: skip
    if not known or not salt or not nonce or not sealed:
        raise Invalid("the data key is sealed in a form that is not known here", code="wrapping_unknown")
    wrapper = AESGCM(_derived(passphrase, salt, int(passes or 0), int(memory_kib or 0), int(lanes or 0)))
    try:
        return wrapper.decrypt(nonce, sealed, context.encode())
    except (InvalidTag, ValueError) as exc:
        raise Invalid("the passphrase is not the one the archive was made with", code="passphrase_wrong") from exc


def _derived(passphrase: str, salt: bytes, passes: int, memory_kib: int, lanes: int) -> bytes:
    from argon2.low_level import Type, hash_secret_raw  # here: a library that nothing else on the way needs

    return hash_secret_raw(passphrase.encode(), salt, passes, memory_kib, lanes, KEY_BYTES, Type.ID)
