"""`/authorize`, `/callback`, `/user/identities/authorize`: out to an identity provider and back to the client.

A sign-in comes back to the browser that began it: by the PKCE verifier that only its client has, or else by a cookie.
"""

import json
from contextlib import suppress
from urllib.parse import urlsplit

from db.errors import Invalid, VaultError
from db.keyring import token_digest
from db.registry.accounts import Account
from db.registry.directory import VaultEntry
from db.registry.identities import Subject, name_in, sign_in_by_identity
from db.registry.identity_providers import IdentityProvider, find_provider
from db.registry.notices import alert
from db.registry.sign_in_flows import (
    FLOW_SECONDS,
    Exchanged,
    Flow,
    NewFlow,
    begin_flow,
    challenge_of,
    complete_flow,
    nonce_of,
    take_flow,
    verifier_of,
)
from db.transaction import WriteTx
from handlers.auth.caller import actor, person, require_shown, signed_in
from handlers.auth.codes import challenge_in
from handlers.auth.providers import authorization_address, who_came
from handlers.auth.redirects import redirect_parameter, see_other, to_code, to_error, to_session
from handlers.auth.sessions import new_session, session_body
from handlers.http.call import Call
from handlers.http.identity import Identity, principal_of
from handlers.http.reply import Reply
from handlers.services import Services

# What a client may have passed on to the provider.
PASSED_ON = ("prompt", "access_type", "login_hint", "hd", "ui_locales")
VALUE_CHARACTERS = 2000


def authorize(services: Services, call: Call) -> Reply:
    """Send the browser to the provider; without a `code_challenge` only this browser may come back.

    Raises Invalid `oauth_provider_not_supported`, `redirect_not_allowed`; Unavailable `provider_unavailable`.
    """
    entry = services.entry(call.path["vault"])
    address, flow = _begin(services, call, entry)
    if call.parameter("code_challenge"):
        return see_other(address)
    return see_other(address).with_headers(("Set-Cookie", _cookie(services, flow.state)))


def link_with_provider(services: Services, call: Call) -> Reply:
    """The address at which the signed-in person says who it is elsewhere: `{url}`.

    The link is made when the client exchanges the code that comes back: a link somebody else was lured into completing
    is never made. Raises Invalid without a `code_challenge`, Forbidden `insufficient_aal`.
    """
    entry, identity = person(services, call)
    if not call.parameter("code_challenge"):
        raise Invalid(
            "code_challenge: linking needs it", field="code_challenge", hint="create the client with flow type pkce"
        )
    address, _ = _begin(services, call, entry, identity)
    return Reply(200, json.dumps({"url": address}))


def callback(services: Services, call: Call) -> Reply:
    """Take the provider's answer and go on to the client: with a code, a session, or what went wrong.

    Raises Invalid `bad_oauth_state` for an answer that no sign-in waits for.
    """
    state = call.parameter("state") or ""
    flow = services.registry_write(lambda tx: take_flow(tx, state, call.now), actor(call, "auth.callback"), call.now)
    try:
        if flow.code_challenge is None:
            _require_cookie(call, state)
        return _come_back(services, call, flow, state)
    except VaultError as exc:
        return to_error(flow.redirect_to, exc, in_query=flow.code_challenge is not None)


def callback_address(services: Services) -> str:
    """Where providers send people back, one address for all vaults: each provider has to be told it."""
    return f"{services.settings.base_url}/auth/v1/callback"


def _begin(services: Services, call: Call, entry: VaultEntry, identity: Identity | None = None) -> tuple[str, NewFlow]:
    redirect_to = redirect_parameter(services, entry, call)
    if not redirect_to:
        raise Invalid("redirect_to: required, the address to come back to", field="redirect_to")
    given = {name: call.parameter(name) for name in ("code_challenge", "code_challenge_method")}
    challenge = challenge_in({name: value for name, value in given.items() if value})
    name, ring = call.parameter("provider") or "", services.keyring
    provider = services.registry_read(lambda tx: find_provider(tx, ring, name))
    more = {known: value for known in PASSED_ON if (value := call.parameter(known))}
    if scopes := call.parameter("scopes"):
        more["scope"] = " ".join(dict.fromkeys((*provider.scopes.split(), *scopes.replace(",", " ").split())))
    if any(len(value) > VALUE_CHARACTERS for value in more.values()):
        raise Invalid(f"a parameter for the provider has more than {VALUE_CHARACTERS} characters")

    def begin(tx: WriteTx) -> NewFlow:
        linking = None
        if identity is not None:
            who = signed_in(identity, call)(tx)
            require_shown(tx, who)
            linking = who.account.id
        return begin_flow(
            tx, entry, redirect_to, call.now, provider=name, code_challenge=challenge, link_account_id=linking
        )

    flow = services.registry_write(begin, actor(call, "auth.authorize", identity), call.now)
    address = authorization_address(
        provider,
        call.now,
        state=flow.state,
        nonce=nonce_of(ring, flow.state),
        challenge=challenge_of(verifier_of(ring, flow.state)),
        callback=callback_address(services),
        more=more,
    )
    return address, flow


def _come_back(services: Services, call: Call, flow: Flow, state: str) -> Reply:
    entry = services.entry(flow.slug)
    if call.parameter("error") or not call.parameter("code"):
        raise Invalid("the provider did not sign you in", code="bad_oauth_callback")
    ring = services.keyring
    provider: IdentityProvider = services.registry_read(lambda tx: find_provider(tx, ring, flow.provider or ""))
    who = who_came(
        provider,
        call.now,
        code=call.parameter("code") or "",
        verifier=verifier_of(ring, state),
        nonce=nonce_of(ring, state),
        callback=callback_address(services),
    )
    if flow.link_account_id is not None:
        linked = Exchanged(flow.link_account_id, "oauth", (who.provider, who.subject, who.data))
        return _to_client(services, call, flow, linked)
    account = sign_in_outside(services, call, entry, who)
    if flow.code_challenge is not None:
        return _to_client(services, call, flow, Exchanged(account.id, "oauth"))
    session = new_session(services, call, entry, account, "oauth")
    body = services.registry_read(lambda tx: session_body(tx, services, call, session))
    return to_session(flow.redirect_to, body, "signup")


def sign_in_outside(services: Services, call: Call, entry: VaultEntry, who: Subject) -> Account:
    """The account of somebody a provider vouches for; that it was linked with one that was there is told by mail."""

    def sign_in(tx: WriteTx) -> tuple[Account, bool]:
        account, linked = sign_in_by_identity(tx, who, call.now)
        if linked:
            alert(tx, "identity_linked", account.id, entry, call.now)
        return account, linked

    account, linked = services.registry_write(sign_in, actor(call, "auth.sign_in_outside"), call.now)
    if linked:
        services.deliver(services.registry)
    _take_name(services, call, entry, account, name_in(who.data))
    return account


def _take_name(services: Services, call: Call, entry: VaultEntry, account: Account, name: str) -> None:
    """Call a member of the vault as the provider does, where its charter wants that."""
    charter = services.charter(entry)
    rename = charter.named
    if rename is None or not name:
        return
    caller = Identity("person", account.email, account.id)
    # Nobody is kept out because a name cannot be written down just now.
    with suppress(VaultError), services.vault(entry) as vault:
        principal = vault.read(lambda tx: principal_of(tx, caller, entry, charter)).value
        member_id = principal.id
        if member_id is not None and principal.name != name:
            vault.write(lambda tx: rename(tx, member_id, name), actor(call, "auth.name", caller), call.now)


def _to_client(services: Services, call: Call, flow: Flow, who: Exchanged) -> Reply:
    code = services.registry_write(
        lambda tx: complete_flow(tx, flow.id, who, call.now), actor(call, "auth.callback"), call.now
    )
    return to_code(flow.redirect_to, code)


def _cookie(services: Services, state: str) -> str:
    """The cookie that lets this browser, and no other, complete the sign-in."""
    base = urlsplit(services.settings.base_url)
    secure = "; Secure" if base.scheme == "https" else ""
    path = f"{base.path}/auth/v1/callback"
    return f"{_cookie_name(state)}=1; Path={path}; Max-Age={FLOW_SECONDS}; HttpOnly; SameSite=Lax{secure}"


def _require_cookie(call: Call, state: str) -> None:
    sent = [part.strip() for name, value in call.headers if name == "cookie" for part in value.split(";")]
    if f"{_cookie_name(state)}=1" not in sent:
        raise Invalid("this sign-in was begun in another browser; begin again", code="bad_oauth_state")


def _cookie_name(state: str) -> str:
    return f"vaultry_flow_{token_digest(state)[:32]}"
