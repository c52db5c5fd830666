"""Identity providers as OpenID Connect and GitHub speak: where to send people, and whom they say came back.

Source: OpenID Connect Core 1.0 and Discovery 1.0; RFC 7636 (PKCE towards the provider too); RFC 8725 for id tokens;
GitHub's REST API, `/user` and `/user/emails`.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from db.clock import Moment
from db.errors import Invalid, NotAuthenticated, Unavailable
from db.fields import is_json_list, is_json_object, normalise_email
from db.registry.identities import Subject
from db.registry.identity_providers import IdentityProvider
from handlers.auth.provider_http import get_json, post_form

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

KEPT_MS = 3_600_000
# How long a key id that is not published keeps others like it from asking again.
KEYS_AGAIN_MS = 60_000
LEEWAY_S = 30
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"]
# Claims that are kept of a person, as the user object shows them.
_KEPT_CLAIMS = ("name", "given_name", "family_name", "picture", "preferred_username", "email", "email_verified", "iss")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider takes requests. keys: '' = it issues no id tokens."""

    authorization: str
    token: str
    keys: str = ""
    userinfo: str = ""


@dataclass(frozen=True, slots=True)
class IdClaims:
    """A verified id token: whom it is about, and when it expires (Unix seconds)."""

    subject: Subject
    expires_at_s: int


class _Published:
    """What providers publish, kept for an hour in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._documents: dict[str, tuple[int, Any]] = {}

    def get(self, address: str, now: Moment, kept_ms: int = KEPT_MS) -> Any:
        """The document at an address, at most so old."""
        with self._lock:
            known = self._documents.get(address)
        if known is not None and 0 <= now.ms - known[0] < kept_ms:
            return known[1]
        found = get_json(address)
        with self._lock:
            self._documents[address] = (now.ms, found)
        return found


_PUBLISHED = _Published()


def endpoints_of(provider: IdentityProvider, now: Moment) -> Endpoints:
    """The provider's endpoints, from its discovery document. Raises Unavailable `provider_unavailable`."""
    if provider.kind == "github":
        base = provider.issuer
        return Endpoints(f"{base}/login/oauth/authorize", f"{base}/login/oauth/access_token")
    document = _PUBLISHED.get(f"{provider.issuer}/.well-known/openid-configuration", now)
    names = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
    if not is_json_object(document) or not all(isinstance(document.get(name), str) for name in names):
        raise Unavailable(f"{provider.name} publishes no complete configuration", code="provider_unavailable")
    if document["issuer"].rstrip("/") != provider.issuer:
        raise Unavailable(f"{provider.name} calls itself by another issuer", code="provider_unavailable")
    userinfo = document.get("userinfo_endpoint")
    return Endpoints(
        document["authorization_endpoint"],
        document["token_endpoint"],
        document["jwks_uri"],
        userinfo if isinstance(userinfo, str) else "",
    )


def authorization_address(
    provider: IdentityProvider,
    now: Moment,
    *,
    state: str,
    nonce: str,
    challenge: str,
    callback: str,
    more: dict[str, str],
) -> str:
    """Where to send the person. challenge: of our own PKCE verifier. more: what the client wants passed on."""
    endpoint = endpoints_of(provider, now).authorization
    query = {
        **more,
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": callback,
        "scope": more.get("scope", provider.scopes),
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def who_came(
    provider: IdentityProvider, now: Moment, *, code: str, verifier: str, nonce: str, callback: str
) -> Subject:
    """Whom the provider's code stands for.

    Raises Invalid `bad_oauth_callback` (a code it does not know), NotAuthenticated (an id token that does not hold),
    Unavailable `provider_unavailable`.
    """
    endpoints = endpoints_of(provider, now)
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": callback,
        "client_id": provider.client_id,
        "code_verifier": verifier,
    }
    status, answer = post_form(endpoints.token, fields, _client_headers(provider))
    if status != 200 or "error" in answer:
        raise Invalid(f"{provider.name} refused the code; begin again", code="bad_oauth_callback")
    access_token, id_token = answer.get("access_token"), answer.get("id_token")
    if provider.kind == "github":
        if not isinstance(access_token, str):
            raise Invalid("github gave no token; begin again", code="bad_oauth_callback")
        return _github_person(provider, access_token)
    if not isinstance(id_token, str):
        raise Invalid(f"{provider.name} gave no id token", code="bad_oauth_callback")
    claims = id_token_claims(provider, id_token, now)
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise _refused("its nonce is of another sign-in")
    if "email" not in claims and endpoints.userinfo and isinstance(access_token, str):
        said = get_json(endpoints.userinfo, access_token)
        # What is said of anybody else is not about this person.
        if is_json_object(said) and said.get("sub") == claims["sub"]:
            claims = {**said, **claims}
    return _subject(provider, claims)


def verify_id_token(provider: IdentityProvider, id_token: str, nonce: str | None, now: Moment) -> IdClaims:
    """Whom an id token is about that a client got itself. nonce: as the client chose it; the token may have its hash.

    Raises NotAuthenticated `token_invalid`, Invalid for a provider without id tokens, Unavailable.
    """
    if provider.kind == "github":
        raise Invalid("provider: github issues no id tokens", code="oauth_provider_not_supported", field="provider")
    claims = id_token_claims(provider, id_token, now)
    said = claims.get("nonce")
    if said is not None or nonce:
        given = (nonce or "").encode()
        wanted = (given, hashlib.sha256(given).hexdigest().encode())
        if not nonce or not any(hmac.compare_digest(str(said).encode(), known) for known in wanted):
            raise _refused("its nonce is not the one given")
    return IdClaims(_subject(provider, claims), int(claims["exp"]))


def id_token_claims(provider: IdentityProvider, id_token: str, now: Moment) -> dict[str, Any]:
    """The claims of an id token that this provider signed for us and that has not expired."""
    from joserfc.errors import JoseError
    from joserfc.jwt import JWTClaimsRegistry, decode

    keys_at = endpoints_of(provider, now).keys
    try:
        try:
            claims = decode(id_token, _keys(keys_at, now, KEPT_MS), algorithms=_ALGORITHMS).claims
        except (JoseError, ValueError):
            # The provider may have changed its keys since; asking again costs it one request a minute at most.
            claims = decode(id_token, _keys(keys_at, now, KEYS_AGAIN_MS), algorithms=_ALGORITHMS).claims
        JWTClaimsRegistry(
            now=now.ms // 1000,
            leeway=LEEWAY_S,
            iss={"essential": True, "values": [provider.issuer, f"{provider.issuer}/"]},
            aud={"essential": True, "value": provider.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(claims)
    except (JoseError, ValueError, TypeError) as exc:
        raise _refused("its signature, issuer, audience or time does not hold") from exc
    others = is_json_list(claims["aud"]) and len(claims["aud"]) > 1
    if (others or "azp" in claims) and claims.get("azp") != provider.client_id:
        raise _refused("it was issued to another client")
    if not isinstance(claims["sub"], str) or not 1 <= len(claims["sub"]) <= 255:
        raise _refused("its subject is no text of 1 to 255 characters")
    return claims


def _keys(address: str, now: Moment, kept_ms: int) -> "KeySet":
    from joserfc.jwk import KeySet

    return KeySet.import_key_set(_PUBLISHED.get(address, now, kept_ms))


def _client_headers(provider: IdentityProvider) -> dict[str, str]:
    """How we name ourselves at the token endpoint: by secret, if there is one. Source: RFC 6749, section 2.3.1."""
    if not provider.secret:
        return {}
    pair = f"{quote(provider.client_id, safe='')}:{quote(provider.secret, safe='')}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _subject(provider: IdentityProvider, claims: dict[str, Any]) -> Subject:
    verified = claims.get("email_verified") in (True, "true")
    email = claims.get("email") if verified and provider.trusts_email else None
    kept = {name: claims[name] for name in _KEPT_CLAIMS if isinstance(claims.get(name), str | bool)}
    return Subject(provider.name, claims["sub"], _address(email), {**kept, "email_verified": verified})


def _github_person(provider: IdentityProvider, token: str) -> Subject:
    api = "https://api.github.com" if provider.issuer == "https://github.com" else f"{provider.issuer}/api/v3"
    person, emails = get_json(f"{api}/user", token), get_json(f"{api}/user/emails", token)
    if not is_json_object(person) or type(person.get("id")) is not int or not is_json_list(emails):
        raise Unavailable("github did not say who came", code="provider_unavailable")
    verified = [known for known in emails if is_json_object(known) and known.get("verified") is True]
    primary = next((known for known in verified if known.get("primary") is True), None)
    email = _address(primary.get("email") if primary is not None and provider.trusts_email else None)
    data = {
        "user_name": person.get("login"),
        "name": person.get("name"),
        "avatar_url": person.get("avatar_url"),
        "email": email,
        "email_verified": bool(email),
    }
    kept = {name: value for name, value in data.items() if isinstance(value, str | bool) and value != ""}
    return Subject(provider.name, str(person["id"]), email, kept)


def _address(email: Any) -> str:
    """The address in its normal form; '' for none, or for what is no address."""
    try:
        return normalise_email(email) if isinstance(email, str) else ""
    except Invalid:
        return ""


def _refused(why: str) -> NotAuthenticated:
    return NotAuthenticated(f"the provider's id token was refused: {why}", code="token_invalid")
