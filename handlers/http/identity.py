"""Who is calling: from the Authorization header to a principal inside one vault. Knows tokens; not routes."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from db.errors import CommitUnknown, Forbidden, NotAuthenticated, Unavailable
from db.principal import Principal, find_principal, guest
from db.registry.access_tokens import token_key_id
from db.registry.api_tokens import ApiToken, find_api_token, record_token_use, token_use_is_stale
from db.registry.directory import VaultEntry
from db.resources import Resource
from db.transaction import Actor, ReadTx
from domain.charter import Charter
from handlers.http.call import Call
from handlers.services import Services

API_TOKEN = "vlt_"  # noqa: S105 - the prefix of a kind of token, no token
# What clients send that insist on a key before anybody has signed in.
PUBLISHABLE = "sb_publishable_"


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified caller before the vault was asked what it may do.

    kind: guest, person, token or operator. email, account_id, session_id, aal: of a person.
    """

    kind: str
    email: str = ""
    account_id: str = ""
    session_id: str = ""
    token: ApiToken | None = None
    aal: str = "aal1"

    def require_person(self) -> "Identity":
        """The same, for a signed-in person. Raises NotAuthenticated."""
        if self.kind != "person":
            raise NotAuthenticated("sign in first: this needs the access token of a person")
        return self

    def require_operator(self, *, writes: bool) -> "Identity":
        """The same, for an operator's API token, not a read-only one if it is to write. Raises Forbidden."""
        if self.kind == "guest":
            raise NotAuthenticated("this needs the API token of an operator", code="no_authorization")
        if self.token is None or self.kind != "operator" or (writes and self.token.read_only):
            raise Forbidden("this needs the API token of an operator that may write", code="not_admin")
        return self


GUEST = Identity("guest")


def identify(services: Services, call: Call, entry: VaultEntry, *, any_aal: bool = False) -> Identity:
    """The caller of a request to one vault.

    any_aal: a person who has yet to show a second factor is let in too, to show it. Raises NotAuthenticated, Forbidden
    `wrong_audience` (a token for another vault) or `insufficient_aal`.
    """
    token = _bearer(call)
    if token is None or token.startswith(PUBLISHABLE):
        return GUEST
    if token.startswith(API_TOKEN):
        return _for_vault(_by_api_token(services, token, call), entry)
    keys = services.keys(token_key_id(token), call.began)
    claims = services.verified.verify(token, keys, vault_id=entry.id, now=call.now)
    if claims.required_aal == "aal2" and claims.aal != "aal2" and not any_aal:
        raise Forbidden(
            "this session has yet to show a second factor",
            code="insufficient_aal",
            hint="challenge and verify a factor; without one, enrol one first",
        )
    return Identity("person", claims.email, claims.account_id, claims.session_id, aal=claims.aal)


def recall_identity(services: Services, call: Call, entry: VaultEntry) -> Identity | None:
    """As `identify`, for a guest or by a token that was verified before; None where more is to be done, or refused.

    Raises NotAuthenticated.
    """
    token = _bearer(call)
    if token is None or token.startswith(PUBLISHABLE):
        return GUEST
    keys = services.held_keys(call.now.ms)
    if token.startswith(API_TOKEN) or keys is None:
        return None
    claims = services.verified.recall(token, keys, vault_id=entry.id, now=call.now)
    if claims is None or (claims.required_aal == "aal2" and claims.aal != "aal2"):
        return None
    return Identity("person", claims.email, claims.account_id, claims.session_id, aal=claims.aal)


def identify_at_rest(services: Services, call: Call, entry: VaultEntry) -> Identity:
    """As `identify`, where a token that does not hold has the codes that clients of REST know: PGRST301, PGRST303."""
    try:
        return identify(services, call, entry)
    except NotAuthenticated as error:
        code = _REST_CODES.get(error.code)
        if code is None:
            raise
        # Clients refresh by these two words.
        jwt_expired = code == "PGRST303" and not (_bearer(call) or "").startswith(API_TOKEN)
        message, hint = ("JWT expired", error.message) if jwt_expired else (error.message, error.hint)
        raise NotAuthenticated(message, code=code, hint=hint) from error


_REST_CODES = {"token_invalid": "PGRST301", "token_expired": "PGRST303"}


def principal_of(tx: ReadTx, identity: Identity, entry: VaultEntry, charter: Charter) -> Principal:
    """What the caller may do in the scope of this request, as the vault says at this very commit."""
    if identity.token is not None:
        role = identity.token.role
        roles = charter.roles_at(tx)
        held = frozenset[str]().union(*roles.values()) if role is None else roles.get(role, frozenset())
        return Principal(None, identity.kind, entry.scope, held, f"token:{identity.token.id}")
    if identity.kind == "guest":
        return guest(entry.scope)
    lookup = tx.value("SELECT personal_lookup(:email)", email=identity.email)
    found = find_principal(tx, identity.email, lookup, entry.scope)
    if found is not None:
        return found
    # Verified, and nobody here: no rights, but an invitation can be accepted.
    return Principal(None, "person", entry.scope, frozenset(), f"account:{identity.account_id}", identity.email)


def reachable(resources: Iterable[Resource], identity: Identity) -> Mapping[str, Resource]:
    """Resources by table, without those an API token was not given."""
    token = identity.token
    return {resource.table: resource for resource in resources if token is None or token.may_read(resource.table)}


def actor_of(identity: Identity, call: Call, verb: str) -> Actor:
    """What the audit log says of the caller."""
    if identity.token is not None:
        return Actor(f"token:{identity.token.id}", identity.kind, call.request_id, verb)
    who = identity.account_id if identity.kind == "person" else "guest"
    return Actor(who, identity.kind, call.request_id, verb)


def identify_token(services: Services, call: Call) -> Identity:
    """The API token a request brings, wherever it leads. Raises NotAuthenticated, also without one."""
    return _by_api_token(services, api_token_in(call), call)


def api_token_in(call: Call) -> str:
    """The text of the API token a request brings, known or not. Raises NotAuthenticated without one."""
    token = _bearer(call)
    if token is None or not token.startswith(API_TOKEN):
        raise NotAuthenticated("this needs an API token: `Authorization: Bearer vlt_...`", code="no_authorization")
    return token


def _by_api_token(services: Services, token: str, call: Call) -> Identity:
    found = _found_token(services, token, call)
    if token_use_is_stale(found, call.now):
        call.beside.append(services.aside(lambda: _record_use(services, found, call)))
    return Identity("operator" if found.kind == "operator" else "token", token=found)


def _found_token(services: Services, token: str, call: Call) -> ApiToken:
    """The record of the token, which another process may have made a moment ago. Raises NotAuthenticated."""

    def find(tx: ReadTx) -> ApiToken:
        return find_api_token(tx, token, call.now)

    try:
        return services.registry_read(find)
    except NotAuthenticated as error:
        if error.code != "token_invalid" or not services.may_look_again(call.now.ms):
            raise
    return services.registry_read(find, current=True, since=call.began)


def _for_vault(identity: Identity, entry: VaultEntry) -> Identity:
    """The same, if its token is for this vault."""
    if identity.token is not None and not identity.token.reaches(entry.id, entry.scope):
        raise Forbidden("this API token is for another vault", code="wrong_audience")
    return identity


def _record_use(services: Services, token: ApiToken, call: Call) -> None:
    actor = Actor(f"token:{token.id}", token.kind.replace("vault", "token"), "", "token.use")
    with suppress(Unavailable, CommitUnknown):
        services.registry_write(lambda tx: record_token_use(tx, token.id, call.now), actor, call.now, call.began)


def _bearer(call: Call) -> str | None:
    """The token of the Authorization header, or else of `apikey`."""
    given = {value for name, value in call.headers if name == "authorization"}
    if len(given) > 1:
        # Whoever stands in front of us may have read the other one.
        raise NotAuthenticated("got several Authorization headers, wanted one", code="token_invalid")
    scheme, _, token = next(iter(given), "").strip().partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if scheme:
        raise NotAuthenticated(
            f"got authorization scheme {scheme[:20]!r}, wanted Bearer and a token", code="token_invalid"
        )
    return (call.header("apikey") or "").strip() or None
