"""Key pairs that sign JWTs, by the name JOSE has for their algorithm. Knows keys and bytes; no token, table or clock.

ES256 is what published clients verify; EdDSA is verified for the keys that a platform has, and made where it is asked
for. Each key has one algorithm, and signs with no other. Sources: RFC 7517, 7518 section 3.4, 8037.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from db.errors import Invalid
from db.keyring import decode_base64url, encode_base64url

PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey
PublicKey = EllipticCurvePublicKey | Ed25519PublicKey

ES256, EDDSA = "ES256", "EdDSA"
ALGORITHMS = (ES256, EDDSA)
SECRET_BYTES = 32
_NUMBER_BYTES = 32
# Source: FIPS 186-5 A.2.1: 64 bits more than the order has, so that the remainder is as good as even.
_SURPLUS_BYTES = 8
# Source: SEC 2, secp256r1.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def make_private_key(algorithm: str, random_bytes: Callable[[int], bytes]) -> PrivateKey:
    """A new key of one of `ALGORITHMS`."""
    if algorithm == EDDSA:
        return Ed25519PrivateKey.from_private_bytes(random_bytes(SECRET_BYTES))
    number = int.from_bytes(random_bytes(SECRET_BYTES + _SURPLUS_BYTES), "big") % (_ORDER - 1) + 1
    return derive_private_key(number, SECP256R1())


def secret_of(key: PrivateKey) -> bytes:
    """The 32 bytes that `private_key_from` makes the key of again."""
    if isinstance(key, Ed25519PrivateKey):
        return key.private_bytes_raw()
    return key.private_numbers().private_value.to_bytes(SECRET_BYTES, "big")


def private_key_from(algorithm: str, secret: bytes) -> PrivateKey:
    """The key that `secret_of` was asked about."""
    if algorithm == EDDSA:
        return Ed25519PrivateKey.from_private_bytes(secret)
    return derive_private_key(int.from_bytes(secret, "big"), SECP256R1())


def algorithm_of(key: PrivateKey | PublicKey) -> str:
    """The `alg` of what this key signs."""
    return EDDSA if isinstance(key, Ed25519PrivateKey | Ed25519PublicKey) else ES256


def public_jwk(key: PrivateKey | PublicKey) -> dict[str, str]:
    """The public half as a JWK of the members that its thumbprint needs, and no others."""
    public = key.public_key() if isinstance(key, PrivateKey) else key
    if isinstance(public, Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(public.public_bytes_raw())}
    point = public.public_numbers()
    x, y = (encode_base64url(number.to_bytes(_NUMBER_BYTES, "big")) for number in (point.x, point.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def public_key_from(given: object) -> PublicKey:
    """The public key of a parsed JWK, other members of which do not count. Raises Invalid `key_invalid`."""
    jwk: Mapping[str, Any] = cast("Mapping[str, Any]", given) if isinstance(given, Mapping) else {}
    kind = (jwk.get("kty"), jwk.get("crv"))
    try:
        if kind == ("OKP", "Ed25519"):
            return Ed25519PublicKey.from_public_bytes(_bytes(jwk, "x"))
        if kind == ("EC", "P-256"):
            x, y = (int.from_bytes(_bytes(jwk, name), "big") for name in ("x", "y"))
            return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
    except ValueError as exc:
        raise Invalid(f"got a public key that is none: {exc}", code="key_invalid") from exc
    raise Invalid(f"got a key of kind {kind}, wanted P-256 or Ed25519", code="key_invalid")


def sign(key: PrivateKey, data: bytes) -> bytes:
    """The 64 bytes of a JWS signature."""
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(data)
    r, s = decode_dss_signature(key.sign(data, ECDSA(SHA256())))
    return r.to_bytes(_NUMBER_BYTES, "big") + s.to_bytes(_NUMBER_BYTES, "big")


def is_signature(key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether the JWS signature of this data is by this key."""
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, data)
            return True
        if len(signature) != 2 * _NUMBER_BYTES:
            return False
        r, s = (int.from_bytes(half, "big") for half in (signature[:_NUMBER_BYTES], signature[_NUMBER_BYTES:]))
        key.verify(encode_dss_signature(r, s), data, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _bytes(jwk: Mapping[str, Any], name: str) -> bytes:
    """The 32 bytes of one member. Raises ValueError."""
    text = jwk.get(name)
    data = decode_base64url(text) if isinstance(text, str) else None
    if data is None or len(data) != _NUMBER_BYTES:
        raise ValueError(f"{name} is not 32 bytes of base64url")
    return data
