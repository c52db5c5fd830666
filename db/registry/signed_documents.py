"""JSON documents signed by the platform's key, for whoever must check them later. Knows keys and JWS; no document.

A document is a compact JWS (RFC 7515) whose `typ` says what kind it is: one kind never passes for another, nor
for an access token. Unlike a token it does not expire with its key: one that was retired since still proves that the
document was signed before.
"""

import json
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

from db.errors import Invalid
from db.key_pairs import algorithm_of, public_jwk, public_key_from, secret_of
from db.keyring import encode_base64url
from db.registry.signing_keys import Signer
from db.transaction import ReadTx


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A document whose signature holds. key_revoked_at: None while the key is still published."""

    content: Mapping[str, Any]
    key_id: str
    key_revoked_at: str | None


def sign_document(signer: Signer, kind: str, content: Mapping[str, Any]) -> str:
    """The document as a compact JWS. kind: the `typ` of its header."""
    from joserfc import jws  # here and below: a library that only signing and checking need
    from joserfc.jwk import JWKRegistry

    algorithm = algorithm_of(signer.private_key)
    header = {"alg": algorithm, "typ": kind, "kid": signer.key_id}
    payload = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    secret = encode_base64url(secret_of(signer.private_key))
    key = JWKRegistry.import_key({**public_jwk(signer.private_key), "d": secret})
    with _named_as_published():
        return jws.serialize_compact(header, payload, key, algorithms=[algorithm])


_KEY = "SELECT public_key, revoked_at FROM signing_keys WHERE key_id = :key_id"


def read_document(tx: ReadTx, kind: str, signed: str) -> SignedDocument:
    """The document, its signature checked against the registry's key. Raises Invalid `signature_invalid`."""
    key_id = _headers(signed).get("kid")
    row = tx.row(_KEY, key_id=str(key_id))
    if row is None:
        raise _invalid(f"no key of this registry has the id {key_id}")
    content = json.loads(signed_text(signed, kind, json.loads(row["public_key"])))
    return SignedDocument(cast("Mapping[str, Any]", content), str(key_id), row["revoked_at"])


def signed_text(signed: str, kind: str, jwk: object) -> str:
    """The text of a document, its signature checked against this JWK. Raises Invalid `signature_invalid`."""
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    typ = _headers(signed).get("typ")
    if typ != kind:
        raise _invalid(f"it is a {typ}, wanted a {kind}")
    try:
        key = public_key_from(jwk)
        with _named_as_published():
            found = jws.deserialize_compact(signed, JWKRegistry.import_key({**public_jwk(key)}), [algorithm_of(key)])
        return found.payload.decode()
    except (JoseError, Invalid, ValueError) as exc:
        raise _invalid(str(exc)) from exc


def unsigned_text(signed: str) -> str:
    """The text of a document whose signature nobody has checked yet. Raises Invalid `signature_invalid`."""
    from joserfc import jws
    from joserfc.errors import JoseError

    try:
        return jws.extract_compact(signed.encode()).payload.decode()
    except (JoseError, ValueError) as exc:
        raise _invalid(str(exc)) from exc


def _headers(signed: str) -> Mapping[str, Any]:
    from joserfc import jws
    from joserfc.errors import JoseError

    try:
        return jws.extract_compact(signed.encode()).headers()
    except (JoseError, ValueError) as exc:
        raise _invalid(str(exc)) from exc


def _named_as_published() -> AbstractContextManager[object]:
    """Silence on the name EdDSA, which RFC 9864 replaces: published keys and access tokens have it."""
    from joserfc.errors import SecurityWarning

    return warnings.catch_warnings(action="ignore", category=SecurityWarning)


def _invalid(why: str) -> Invalid:
    return Invalid(f"the signature does not hold: {why}", code="signature_invalid")
