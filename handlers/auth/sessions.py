"""Sessions: who gets one in a vault, and the answer that carries it. Knows tokens; not what was proved to get here."""

import json
from collections.abc import Callable
from typing import Any

from db.clock import timestamp_ms
from db.errors import Forbidden
from db.principal import belongs_here
from db.registry.access_tokens import mint_access_token
from db.registry.accounts import Account, get_account
from db.registry.directory import VaultEntry
from db.registry.memberships import record_membership
from db.registry.profiles import Profile, profile_of
from db.registry.sessions import Refreshed, Session, end_sessions_of_person, has_session, start_session
from db.registry.sign_in_settings import SignInSettings, read_sign_in_settings
from db.registry.signing_keys import current_signer
from db.transaction import Actor, ReadTx, WriteTx
from db.vault.vault import Vault
from domain.charter import Charter
from handlers.auth.caller import actor, settings_of
from handlers.auth.once import answered
from handlers.auth.user_shape import user
from handlers.http.call import Call
from handlers.http.identity import Identity, principal_of
from handlers.http.reply import Reply
from handlers.services import Services


def _nothing(tx: WriteTx) -> None:
    """Write nothing beside the session."""


def new_session(
    services: Services,
    call: Call,
    entry: VaultEntry,
    account: Account,
    method: str,
    *,
    parent: Session | None = None,
    beside: Callable[[WriteTx], None] = _nothing,
) -> Refreshed:
    """A session, for somebody the vault lets in.

    beside: what else the same commit writes. Raises Forbidden `not_registered` or `account_disabled`.
    """
    caller = require_registered(services, entry, account)
    begin = _beginning(call, entry, account, method, parent, beside)
    return services.registry_write(begin, actor(call, "auth.session", caller), call.now)


def enter(
    services: Services,
    call: Call,
    entry: VaultEntry,
    account: Account,
    method: str,
    *,
    doer: Actor,
    parent: Session | None = None,
    beside: Callable[[WriteTx], None] = _nothing,
) -> Reply:
    """The answer with a new session, as `new_session` begins it, kept for repeats. doer: who asks for it."""
    require_registered(services, entry, account)
    begin = _beginning(call, entry, account, method, parent, beside)
    return answered(services, call, doer, begin, session_shown(services, call))


def _beginning(
    call: Call,
    entry: VaultEntry,
    account: Account,
    method: str,
    parent: Session | None,
    beside: Callable[[WriteTx], None],
) -> Callable[[WriteTx], Refreshed]:
    """The work that begins the session."""

    def begin(tx: WriteTx) -> Refreshed:
        # The answer is kept for whoever asked, who is a guest until now; the log names who came in.
        tx.acting_as = account.id
        beside(tx)
        record_membership(tx, account.id, entry.id, call.now)
        return start_session(tx, account.id, entry.id, call.now, method, parent)

    return begin


def require_registered(services: Services, entry: VaultEntry, account: Account) -> Identity:
    """The person, known to the vault and with a right in the scope in effect. Raises Forbidden `not_registered`.

    Where everybody may sign up the vault need not know the person, who then has no right in it either.
    """
    charter = services.charter(entry)
    caller = Identity("person", account.email, account.id)
    with services.vault(entry) as vault:
        _arrive(services, vault, charter, account)
        principal = vault.read(lambda tx: principal_of(tx, caller, entry, charter)).value
    # A vault may hold several organizations: known in one of them is not yet a member of this one.
    known = principal.id is not None and bool(principal.permissions)
    if not known and settings_of(services, entry).signup != "open":
        raise Forbidden("nobody here has this address; ask for an invitation", code="not_registered")
    return caller


def _arrive(services: Services, vault: Vault, charter: Charter, account: Account) -> None:
    """Let the vault know whose address was proved, if it wants to; it may refuse them."""
    arrival = charter.arrival
    if arrival is None or not vault.read(lambda tx: arrival.expects(tx, account.email)).value:
        return
    told = (account.name, *(account.user_metadata.get(key) for key in ("full_name", "name")))
    name = next((text for text in told if isinstance(text, str) and text.strip()), None)
    doer = Actor(account.id, "person", "", "auth.arrive")
    vault.write(lambda tx: arrival.enter(tx, account.email, name, services.clock()), doer, services.clock())


def end_of_former(services: Services, call: Call, entry: VaultEntry, account: Account) -> None:
    """End the sessions of somebody who belongs to the vault no more: coming back takes signing in again."""
    with services.vault(entry) as vault:
        if vault.read(lambda tx: belongs_here(tx, account.email)).value:
            return
    if services.registry_read(lambda tx: has_session(tx, account.id, entry.id, call.now), current=True):
        doer = actor(call, "auth.end_former")
        services.registry_write(lambda tx: end_sessions_of_person(tx, account.id, entry.id, call.now), doer, call.now)


def session_shown(services: Services, call: Call) -> Callable[[WriteTx, Refreshed], Reply]:
    """Makes the answer of a session, as clients take it."""

    def shown(tx: WriteTx, session: Refreshed) -> Reply:
        return Reply(200, json.dumps(session_body(tx, services, call, session), ensure_ascii=False))

    return shown


def session_body(tx: ReadTx, services: Services, call: Call, session: Refreshed) -> dict[str, Any]:
    """Access token, refresh token and user. tx: of the registry."""
    signer = current_signer(tx, services.keyring, call.now)
    settings = read_sign_in_settings(tx, session.vault_id)
    profile = profile_of(tx, get_account(tx, session.account_id))
    lifetime_s = services.settings.access_token_s
    token = mint_access_token(
        signer,
        account_id=session.account_id,
        email=session.email,
        vault_id=session.vault_id,
        session_id=session.session_id,
        issuer=services.settings.issuer,
        lifetime_s=lifetime_s,
        now=call.now,
        aal=session.aal,
        required_aal=required_aal(settings, profile),
        methods=session.methods,
    )
    return {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": lifetime_s,
        "expires_at": call.now.ms // 1000 + lifetime_s,
        "refresh_token": session.refresh_token,
        "refresh_expires_at": timestamp_ms(session.expires_at) // 1000,
        "user": user(profile),
    }


def required_aal(settings: SignInSettings, profile: Profile) -> str:
    """How sure the vault wants to be of this person: `aal2` where a second factor has to be shown."""
    asked = settings.mfa == "required" or (settings.mfa == "enrolled" and profile.has_factor)
    return "aal2" if asked else "aal1"
