"""`/{vault}/auth/v1`: sign-in, sessions and the signed-in user, as supabase clients call them. Decides nothing."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from db.clock import timestamp_ms
from db.errors import Forbidden, Invalid, NotAuthenticated
from db.fields import Email, Field, JsonObject, Text, parse_fields
from db.passwords import hash_password, needs_rehash, verify_password
from db.registry.access_tokens import mint_access_token
from db.registry.accounts import (
    Account,
    find_account,
    find_account_by_email,
    record_sign_in,
    replace_password_hash,
    require_enabled,
    set_account_name,
    set_password,
    sign_in_by_mail,
)
from db.registry.directory import VaultEntry
from db.registry.email_codes import request_code, verify_code
from db.registry.memberships import record_membership
from db.registry.one_time_links import use_link_token
from db.registry.refresh_tokens import (
    Refreshed,
    SignOutScope,
    revoke_sessions,
    rotate_refresh_token,
    session_is_live,
    start_session,
)
from db.registry.refusal import Refused, accepted
from db.registry.signing_keys import current_signer
from db.transaction import Actor, ReadTx, WriteTx
from handlers.call import Call
from handlers.identity import Identity, identify, principal_of
from handlers.reply import Reply
from handlers.services import Services

T = TypeVar("T")
PASSWORD_CHARACTERS = 1024
TOKEN_CHARACTERS = 4096


def request_otp(services: Services, call: Call) -> Reply:
    """Mail a six-digit code and a link that carries it.

    The answer is the same whether or not the address belongs to anybody.
    """
    entry = services.entry(call.path["vault"])
    email: str = _body(call, {"email": Email(required=True)})["email"]

    def link(code: str) -> str:
        query = urlencode({"type": "email", "email": email, "token": code})
        return f"{services.settings.base_url}/{entry.slug}/auth/v1/verify?{query}"

    def ask(tx: WriteTx) -> str:
        name = entry.name
        return request_code(tx, services.keyring, email, entry.id, call.now, vault_name=name, link_for=link)

    services.registry_write(ask, _actor(call, "auth.request_code"), call.now)
    services.deliver(services.registry)
    return Reply(200, "{}")


def verify_otp(services: Services, call: Call) -> Reply:
    """A session for a code and its address, or for the token of a one-time link.

    invite_token: an invitation to accept on the way in, for somebody who is nobody here yet.
    """
    entry = services.entry(call.path["vault"])
    given = _body(
        call,
        {
            "type": Text(),
            "email": Email(),
            "token": Text(max_characters=20),
            "token_hash": Text(max_characters=TOKEN_CHARACTERS),
            "invite_token": Text(max_characters=TOKEN_CHARACTERS),
        },
    )
    if given.get("token_hash"):
        account = _by_link(services, call, entry, given["token_hash"])
    elif given.get("email") and given.get("token"):
        account = _by_code(services, call, entry, given["email"], given["token"])
    else:
        raise Invalid("wanted email and token, or token_hash", field="token")
    if given.get("invite_token"):
        _accept_invitation(services, call, entry, account, given["invite_token"])
    return _new_session(services, call, entry, account)


def issue_token(services: Services, call: Call) -> Reply:
    """A session for a password (grant_type=password) or a refresh token (grant_type=refresh_token)."""
    grant = call.parameter("grant_type")
    if grant == "password":
        return _by_password(services, call)
    if grant == "refresh_token":
        return _by_refresh_token(services, call)
    raise Invalid(f"grant_type: got {grant!r}, wanted password or refresh_token", field="grant_type")


def sign_out(services: Services, call: Call) -> Reply:
    """End this session (scope=local), the others, or all of this account in this vault (global, the default)."""
    entry, identity = _person(services, call)
    scope = _scope(call.parameter("scope") or "global")

    def revoke(tx: WriteTx) -> int:
        return revoke_sessions(tx, identity.account_id, entry.id, identity.session_id, scope, call.now)

    services.registry_write(revoke, _actor(call, "auth.sign_out", identity), call.now)
    return Reply(204)


def get_user(services: Services, call: Call) -> Reply:
    """The signed-in account. Asks the registry, so a signed-out session is refused at once."""
    _, identity = _person(services, call)
    return Reply(200, json.dumps(_user(services.registry_read(_live_account(identity, call), current=True))))


def update_user(services: Services, call: Call) -> Reply:
    """Change the password or the name (`data.name`, blank clears); a new password ends the other sessions."""
    _, identity = _person(services, call)
    fields: dict[str, Field] = {"password": Text(max_characters=PASSWORD_CHARACTERS, trim=False), "data": JsonObject()}
    given = _body(call, fields)
    password: str | None = given.get("password")
    if "password" in given and password is None:
        raise Invalid("password: must not be empty", field="password")
    # Hashing takes its time on purpose: not inside a transaction.
    hashed = None if password is None else hash_password(password, call.now)
    data: dict[str, Any] = given.get("data") or {}
    named = parse_fields({name: value for name, value in data.items() if name == "name"}, {"name": Text()})

    def change(tx: WriteTx) -> Account:
        account = _live_account(identity, call)(tx)
        if hashed is not None:
            set_password(tx, account.id, hashed, call.now, keep_session_id=identity.session_id)
        if "name" in named:
            account = set_account_name(tx, account.id, named["name"])
        return account

    account = services.registry_write(change, _actor(call, "auth.update_user", identity), call.now)
    return Reply(200, json.dumps(_user(account)))


def _by_code(services: Services, call: Call, entry: VaultEntry, email: str, code: str) -> Account:
    def verify(tx: WriteTx) -> Account | Refused:
        verified = verify_code(tx, services.keyring, email, code, entry.id, call.now)
        return verified if isinstance(verified, Refused) else sign_in_by_mail(tx, verified.email, call.now)

    # A wrong guess is counted by the same commit: it must stand although it is refused.
    return accepted(services.registry_write(verify, _actor(call, "auth.verify_code"), call.now))


def _by_link(services: Services, call: Call, entry: VaultEntry, token: str) -> Account:
    def use(tx: WriteTx) -> Account:
        linked = use_link_token(tx, token, call.now)
        if linked.vault_id != entry.id:
            raise Forbidden("this sign-in link is for another vault", code="wrong_audience")
        return linked.account

    return services.registry_write(use, _actor(call, "auth.use_link"), call.now)


def _by_password(services: Services, call: Call) -> Reply:
    entry = services.entry(call.path["vault"])
    password = Text(required=True, max_characters=PASSWORD_CHARACTERS, trim=False)
    fields: dict[str, Field] = {"email": Email(required=True), "password": password}
    given = _body(call, fields)
    account = services.registry_read(lambda tx: find_account_by_email(tx, given["email"]), current=True)
    # The same work for an unknown address, so that the time taken says nothing.
    if not verify_password(given["password"], account.password_hash if account else None) or account is None:
        raise NotAuthenticated("the address or the password is wrong", code="invalid_credentials")
    known = require_enabled(account)
    stored = known.password_hash or ""
    fresh = hash_password(given["password"], call.now) if needs_rehash(stored) else None

    def sign_in(tx: WriteTx) -> Account:
        if fresh is not None:
            replace_password_hash(tx, known.id, stored, fresh)
        return record_sign_in(tx, known.id, call.now)

    account = services.registry_write(sign_in, _actor(call, "auth.password"), call.now)
    return _new_session(services, call, entry, account)


def _by_refresh_token(services: Services, call: Call) -> Reply:
    entry = services.entry(call.path["vault"])
    token: str = _body(call, {"refresh_token": Text(required=True, max_characters=TOKEN_CHARACTERS)})["refresh_token"]

    def rotate(tx: WriteTx) -> Refreshed | Refused:
        return rotate_refresh_token(tx, services.keyring, token, entry.id, call.now)

    session = accepted(services.registry_write(rotate, _actor(call, "auth.refresh"), call.now))
    account = services.registry_read(lambda tx: find_account(tx, session.account_id))
    if account is None:
        raise NotAuthenticated("this session has ended; sign in again", code="token_invalid")
    _require_registered(services, entry, account)
    return _session_reply(services, call, session, account)


def _accept_invitation(services: Services, call: Call, entry: VaultEntry, account: Account, token: str) -> None:
    """Run the charter's own verb for it, as the person whose address was just verified."""
    charter = services.charter(entry)
    verb = charter.verb(charter.admission) if charter.admission else None
    if verb is None:
        raise Invalid("this vault knows no invitations", field="invite_token")
    person = Identity("person", account.email, account.id)

    def accept(tx: WriteTx) -> Any:
        principal = principal_of(tx, person, entry, charter)
        tx.acting_as = principal.actor_id
        return verb.run(tx, principal, parse_fields({"token": token}, verb.params), call.now)

    with services.vault(entry) as vault:
        vault.write(accept, _actor(call, verb.name, person), call.now)


def _new_session(services: Services, call: Call, entry: VaultEntry, account: Account) -> Reply:
    """A session, for somebody the vault knows. Raises Forbidden `not_registered`."""
    person = _require_registered(services, entry, account)

    def begin(tx: WriteTx) -> Refreshed:
        record_membership(tx, account.id, entry.id, call.now)
        return start_session(tx, account.id, entry.id, call.now)

    session = services.registry_write(begin, _actor(call, "auth.session", person), call.now)
    return _session_reply(services, call, session, account)


def _require_registered(services: Services, entry: VaultEntry, account: Account) -> Identity:
    """The person, known to the vault and with a right in the scope in effect. Raises Forbidden `not_registered`."""
    charter = services.charter(entry)
    person = Identity("person", account.email, account.id)
    with services.vault(entry) as vault:
        principal = vault.read(lambda tx: principal_of(tx, person, entry, charter)).value
    # A vault may hold several organizations: known in one of them is not yet a member of this one.
    if principal.id is None or not principal.permissions:
        raise Forbidden("nobody here has this address; ask for an invitation", code="not_registered")
    return person


def _session_reply(services: Services, call: Call, session: Refreshed, account: Account) -> Reply:
    signer = services.registry_read(lambda tx: current_signer(tx, services.keyring, call.now))
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
    )
    body = {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": lifetime_s,
        "expires_at": call.now.ms // 1000 + lifetime_s,
        "refresh_token": session.refresh_token,
        "refresh_expires_at": timestamp_ms(session.expires_at) // 1000,
        "user": _user(account),
    }
    return Reply(200, json.dumps(body, ensure_ascii=False))


def _user(account: Account) -> dict[str, Any]:
    """The account in the shape supabase clients parse."""
    return {
        "id": account.id,
        "aud": "authenticated",
        "role": "authenticated",
        "email": account.email,
        "email_confirmed_at": account.email_confirmed_at,
        "last_sign_in_at": account.last_sign_in_at,
        "created_at": account.created_at,
        "updated_at": account.last_sign_in_at or account.created_at,
        "app_metadata": {"provider": "email", "providers": ["email"]},
        "user_metadata": {} if account.name is None else {"name": account.name},
        "identities": [],
    }


def _live_account(identity: Identity, call: Call) -> Callable[[ReadTx], Account]:
    """The account of a session that still stands."""

    def find(tx: ReadTx) -> Account:
        account = find_account(tx, identity.account_id)
        if account is None or not session_is_live(tx, identity.session_id, call.now):
            raise NotAuthenticated("this session has ended; sign in again", code="session_ended")
        return require_enabled(account)

    return find


def _person(services: Services, call: Call) -> tuple[VaultEntry, Identity]:
    entry = services.entry(call.path["vault"])
    return entry, identify(services, call, entry).require_person()


def _scope(text: str) -> SignOutScope:
    match text:
        case "local" | "others" | "global":
            return text
        case _:
            raise Invalid(f"scope: got {text!r}, wanted local, others or global", field="scope")


def _body(call: Call, fields: dict[str, Field]) -> dict[str, Any]:
    """The fields of a JSON object or an HTML form; what else is in it is ignored, as supabase clients add much."""
    form = call.form()
    given: Mapping[str, Any] = call.json_object() if form is None else form
    return parse_fields({name: value for name, value in given.items() if name in fields}, fields)


def _actor(call: Call, verb: str, identity: Identity | None = None) -> Actor:
    if identity is None:
        return Actor("guest", "guest", call.request_id, verb)
    return Actor(identity.account_id, "person", call.request_id, verb)
