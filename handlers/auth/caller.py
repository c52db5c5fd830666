"""What the handlers of `/auth/v1` read of a request: its body, who asks, from which network. Knows no flow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from db.errors import Forbidden, Invalid, NotAuthenticated
from db.fields import Field, Text, parse_fields
from db.registry.accounts import Account, find_account, require_enabled
from db.registry.attempts import Counter, Limit, counter, network_of
from db.registry.directory import VaultEntry
from db.registry.factors import has_factor
from db.registry.sessions import Session, find_live_session
from db.registry.sign_in_settings import SignInSettings, read_sign_in_settings
from db.transaction import Actor, ReadTx
from handlers.http.call import Call
from handlers.http.identity import Identity, identify
from handlers.services import Services

PASSWORD_CHARACTERS = 1024
TOKEN_CHARACTERS = 4096
PASSWORD = Text(max_characters=PASSWORD_CHARACTERS, trim=False)
REQUIRED_PASSWORD = Text(required=True, max_characters=PASSWORD_CHARACTERS, trim=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that still stands, and whose it is."""

    account: Account
    session: Session


def read_body(call: Call, fields: dict[str, Field]) -> dict[str, Any]:
    """The fields of a JSON object or an HTML form; what else is in it is ignored, as supabase clients add much.

    Raises Invalid, `phone_provider_disabled` for a telephone number in place of an address.
    """
    form = call.form()
    given: Mapping[str, Any] = call.json_object() if form is None else form
    if "email" in fields and given.get("phone") and not given.get("email"):
        raise Invalid("phone: nobody signs in by telephone here", code="phone_provider_disabled", field="phone")
    return parse_fields({name: value for name, value in given.items() if name in fields}, fields)


def actor(call: Call, verb: str, identity: Identity | None = None) -> Actor:
    """Who the audit log says did it: a person, an operator's token, or a guest."""
    if identity is None:
        return Actor("guest", "guest", call.request_id, verb)
    if identity.token is not None:
        return Actor(f"token:{identity.token.id}", identity.kind, call.request_id, verb)
    return Actor(identity.account_id, "person", call.request_id, verb)


def person(services: Services, call: Call) -> tuple[VaultEntry, Identity]:
    """The vault and the signed-in person, who may have yet to show a second factor. Raises NotAuthenticated."""
    entry = services.entry(call.path["vault"])
    return entry, identify(services, call, entry, any_aal=True).require_person()


def operator(services: Services, call: Call, *, writes: bool) -> tuple[VaultEntry, Identity]:
    """The vault and the operator's token. Raises NotAuthenticated, Forbidden `not_admin`."""
    entry = services.entry(call.path["vault"])
    return entry, identify(services, call, entry, any_aal=True).require_operator(writes=writes)


def signed_in(identity: Identity, call: Call) -> Callable[[ReadTx], SignedIn]:
    """Reads the session of an access token, which may have ended since. It raises NotAuthenticated `session_ended`."""

    def find(tx: ReadTx) -> SignedIn:
        account = find_account(tx, identity.account_id)
        session = find_live_session(tx, identity.session_id, call.now)
        if account is None or session is None:
            raise NotAuthenticated("this session has ended; sign in again", code="session_ended")
        return SignedIn(require_enabled(account, call.now), session)

    return find


def require_shown(tx: ReadTx, who: SignedIn) -> None:
    """Raise Forbidden `insufficient_aal` unless the session showed the factor that the account has, if it has one."""
    if who.session.aal != "aal2" and has_factor(tx, who.account.id):
        raise Forbidden("show your second factor first", code="insufficient_aal")


def settings_of(services: Services, entry: VaultEntry) -> SignInSettings:
    """How the vault signs people in, at most 2 s old."""
    return services.registry_read(lambda tx: read_sign_in_settings(tx, entry.id))


def by_network(services: Services, call: Call, limit: Limit) -> tuple[Counter, ...]:
    """The counter of the caller's network, or none when the network is not known."""
    network = network_of(call.address)
    return (counter(services.keyring, limit, network),) if network else ()
