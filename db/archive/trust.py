"""Whether an archive's manifest may be believed: its signature, and whose key it is. Knows JWS and JWK; no archive.

The manifest holds the public key it was signed with, which proves nothing by itself: the key must be known from
elsewhere, by its fingerprint (the SHA-256 thumbprint of RFC 7638), from a published key set, or as one's own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from db.errors import Forbidden, Invalid
from db.key_pairs import public_jwk, public_key_from
from db.registry.signed_documents import sign_document, signed_text, unsigned_text
from db.registry.signing_keys import Signer, jwks
from db.transaction import ReadTx

KIND = "vaultry-archive"


@dataclass(frozen=True, slots=True)
class SignedManifest:
    """A manifest whose signature holds by the key that it names. text: what was signed. fingerprint: of that key."""

    content: Mapping[str, Any]
    text: str
    fingerprint: str


def public_key_of(signer: Signer) -> dict[str, Any]:
    """The key as the manifest holds it: key id, JWK, fingerprint."""
    jwk = public_jwk(signer.private_key)
    return {"kid": signer.key_id, "jwk": jwk, "fingerprint": fingerprint(jwk)}


def sign_manifest(signer: Signer, content: Mapping[str, Any]) -> str:
    """The signed manifest, a compact JWS."""
    return sign_document(signer, KIND, content)


def fingerprint(jwk: object) -> str:
    """The thumbprint of a public key, 43 characters of base64url.

    Raises Invalid `signature_invalid` for what is no key that signs here.
    """
    from joserfc.jwk import JWKRegistry

    try:
        return JWKRegistry.import_key({**public_jwk(public_key_from(jwk))}).thumbprint()
    except Invalid as exc:
        raise Invalid(str(exc), code="signature_invalid") from exc


def read_manifest(signed: str) -> SignedManifest:
    """The manifest, its signature checked by the key inside it. Raises Invalid `signature_invalid`."""
    try:
        jwk: Any = json.loads(unsigned_text(signed))["key"]["jwk"]
        text = signed_text(signed, KIND, jwk)
        return SignedManifest(cast("Mapping[str, Any]", json.loads(text)), text, fingerprint(jwk))
    except (ValueError, KeyError, TypeError) as exc:
        raise Invalid(f"the archive's manifest names no key: {exc}", code="signature_invalid") from exc


def require_trusted(manifest: SignedManifest, fingerprints: Sequence[str]) -> None:
    """Raise Forbidden `signer_unknown`, which names the key, unless it is one of these."""
    if manifest.fingerprint not in fingerprints:
        raise Forbidden(
            f"the archive is signed by a key that is not known here, fingerprint {manifest.fingerprint}",
            code="signer_unknown",
            details=f"it says it is from {manifest.content.get('issuer')}",
            hint="ask the platform it came from for its fingerprint, or take its published keys with --jwks",
        )


def own_fingerprints(tx: ReadTx) -> list[str]:
    """Those of this platform's keys. A revoked one is not among them: it may have leaked."""
    return [fingerprint(jwk) for jwk in jwks(tx)["keys"]]


def jwks_fingerprints(text: str) -> list[str]:
    """Those of the keys in a JWK set that may sign here. Raises Invalid `jwks_invalid`."""
    try:
        keys: list[Mapping[str, Any]] = json.loads(text)["keys"]
        return [fingerprint(key) for key in keys if key.get("crv") in ("P-256", "Ed25519")]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise Invalid("got text that is no JWK set", code="jwks_invalid") from exc
