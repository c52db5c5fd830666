"""Access tokens: signed JWTs of 15 minutes for one vault, minted and verified. Knows keys and claims; no tables.

Verification is written out here: a key has one algorithm and a token one form, so nothing is negotiated. Sources: RFC
7515, 7519; RFC 8725 for what to refuse.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from db.clock import Moment
from db.errors import Forbidden, NotAuthenticated
from db.key_pairs import algorithm_of, is_signature, sign
from db.keyring import decode_base64url, encode_base64url
from db.registry.sessions import SignInMethod
from db.registry.signing_keys import Signer, VerificationKeys

ACCESS_SECONDS = 15 * 60
LEEWAY_SECONDS = 30
MAX_CHARACTERS = 4096
ROLE = "authenticated"


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a verified token says. account_id: sub. vault_id: aud. key_id: kid of the key that signed it.

    aal: how sure the session is, `aal2` with a second factor. required_aal: what the vault asks of this account.
    """

    account_id: str
    email: str
    vault_id: str
    session_id: str
    issuer: str
    issued_at_s: int
    expires_at_s: int
    token_id: str
    key_id: str
    aal: str = "aal1"
    required_aal: str = "aal1"


def mint_access_token(
    signer: Signer,
    *,
    account_id: str,
    email: str,
    vault_id: str,
    session_id: str,
    issuer: str,
    now: Moment,
    lifetime_s: int = ACCESS_SECONDS,
    aal: str = "aal1",
    required_aal: str = "aal1",
    methods: Sequence[SignInMethod] = (),
) -> str:
    """A token for one account in one vault, valid for lifetime_s seconds from the whole second of `now`.

    methods: the proofs the session rests on, the newest first.
    """
    issued_at_s = now.ms // 1000
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": account_id,
        "aud": vault_id,
        "iat": issued_at_s,
        "exp": issued_at_s + lifetime_s,
        "jti": now.new_id(),
        "email": email,
        "session_id": session_id,
        "role": ROLE,
        "aal": aal,
        "amr": [{"method": known.name, "timestamp": known.at_s} for known in methods],
    }
    if required_aal != "aal1":
        claims["aal_required"] = required_aal
    header = {"alg": algorithm_of(signer.private_key), "typ": "JWT", "kid": signer.key_id}
    signed = ".".join(_segment(part) for part in (header, claims))
    return f"{signed}.{encode_base64url(sign(signer.private_key, signed.encode()))}"


def verify_access_token(token: str, keys: VerificationKeys, *, vault_id: str, issuer: str, now: Moment) -> AccessClaims:
    """The claims of a token for this vault, by a trusted key.

    Raises NotAuthenticated `token_invalid` or `token_expired` (from the very second of exp on; the 30 s of leeway are
    for a clock that runs ahead at iat and nbf), Forbidden `wrong_audience`.
    """
    key_id, body = _signed_body(token, keys)
    claims = _claims(body, key_id)
    not_before = body.get("nbf", claims.issued_at_s)
    if claims.issuer != issuer:
        raise _invalid("it was issued elsewhere")
    check_current(claims, vault_id, now)
    if type(not_before) is not int or max(not_before, claims.issued_at_s) > now.ms // 1000 + LEEWAY_SECONDS:
        raise _invalid("it is not valid yet")
    return claims


def check_current(claims: AccessClaims, vault_id: str, now: Moment) -> AccessClaims:
    """The same claims, if they have not expired and are for this vault. Raises as `verify_access_token`."""
    if now.ms >= claims.expires_at_s * 1000:
        raise NotAuthenticated("the access token has expired; refresh it", code="token_expired")
    if claims.vault_id != vault_id:
        raise Forbidden("the access token is for another vault; sign in here", code="wrong_audience")
    return claims


def token_key_id(token: str) -> str | None:
    """The key id an unverified token names, or None: says only whether the published keys are worth fetching again."""
    return _key_id_in(token.split(".", 1)[0]) if len(token) <= MAX_CHARACTERS else None


@lru_cache(maxsize=64)
def _key_id_in(header: str) -> str | None:
    # Kept: every token signed by one key has the same header.
    key_id = (_json_segment(header) or {}).get("kid")
    return key_id if isinstance(key_id, str) else None


def _signed_body(token: str, keys: VerificationKeys) -> tuple[str, dict[str, Any]]:
    """The key id and the claims of a token whose signature holds."""
    parts = token.split(".")
    if len(token) > MAX_CHARACTERS or len(parts) != 3 or not token.isascii():
        raise _invalid("it is not a signed token of at most 4096 characters")
    header, signature = _json_segment(parts[0]), decode_base64url(parts[2])
    if header is None or "crit" in header or header.get("typ", "JWT") != "JWT":
        raise _invalid("its header is not that of an access token")
    key_id = header.get("kid")
    key = keys.get(key_id) if isinstance(key_id, str) else None
    if not isinstance(key_id, str) or key is None:
        raise _invalid("no trusted key has its key id")
    if header.get("alg") != algorithm_of(key):
        raise _invalid(f"it names another algorithm than its key, which signs with {algorithm_of(key)}")
    if not is_signature(key, signature or b"", f"{parts[0]}.{parts[1]}".encode()):
        raise _invalid("its signature does not hold")
    body = _json_segment(parts[1])
    if body is None:
        raise _invalid("its claims are not a JSON object")
    return key_id, body


def _claims(body: dict[str, Any], key_id: str) -> AccessClaims:
    texts = [body.get(name) for name in ("sub", "email", "aud", "session_id", "iss", "jti")]
    numbers = [body.get(name) for name in ("iat", "exp")]
    if not all(isinstance(text, str) and text for text in texts) or any(type(number) is not int for number in numbers):
        raise _invalid("a claim is missing or of the wrong type")
    account_id, email, vault_id, session_id, issuer, token_id = cast("list[str]", texts)
    issued_at_s, expires_at_s = cast("list[int]", numbers)
    aal, required = body.get("aal", "aal1"), body.get("aal_required", "aal1")
    if aal not in ("aal1", "aal2") or required not in ("aal1", "aal2"):
        raise _invalid("a claim is missing or of the wrong type")
    return AccessClaims(
        account_id, email, vault_id, session_id, issuer, issued_at_s, expires_at_s, token_id, key_id, aal, required
    )


def _segment(part: dict[str, Any]) -> str:
    return encode_base64url(json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode())


def _json_segment(segment: str) -> dict[str, Any] | None:
    data = decode_base64url(segment)
    try:
        parsed: Any = json.loads(data) if data is not None else None
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else None


def _invalid(why: str) -> NotAuthenticated:
    return NotAuthenticated(f"the access token was refused: {why}; sign in again", code="token_invalid")
