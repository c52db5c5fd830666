"""`POST /token`: a session for a password, a refresh token, a code of a sign-in under way, or a provider's id token."""

import json
from dataclasses import dataclass
from typing import Any

from db.errors import Forbidden, Invalid, NotAuthenticated
from db.fields import Email, Text
from db.passwords import hash_password, needs_rehash, verify_password
from db.registry.account_changes import replace_password_hash
from db.registry.accounts import Account, find_account, find_account_by_email, record_sign_in, require_enabled
from db.registry.attempts import (
    Counter,
    give_back,
    know_network,
    network_of,
    password_counters,
    require_attempt,
    take_attempt,
)
from db.registry.directory import VaultEntry
from db.registry.identities import link_identity
from db.registry.notices import alert
from db.registry.refresh_tokens import rotate_refresh_token
from db.registry.refusal import Refused
from db.registry.security_alerts import record_alert, withdraw_alert
from db.registry.sessions import Refreshed
from db.registry.sign_in_flows import Exchanged, exchange_code
from db.transaction import ReadTx, WriteTx
from handlers.auth.caller import REQUIRED_PASSWORD, TOKEN_CHARACTERS, actor, read_body
from handlers.auth.invitations import accept_invitation
from handlers.auth.once import answered, begun, keep_step
from handlers.auth.sessions import end_of_former, enter, require_registered, session_shown
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services


def issue_token(services: Services, call: Call) -> Reply:
    """A session by `grant_type`: password, refresh_token, pkce or id_token."""
    match call.parameter("grant_type"):
        case "password":
            return _by_password(services, call)
        case "refresh_token":
            return _by_refresh_token(services, call)
        case "pkce":
            return _by_code(services, call)
        case "id_token":
            from handlers.auth.id_tokens import by_id_token  # here: it loads what only outside sign-ins need

            return by_id_token(services, call)
        case "web3":
            raise Invalid("grant_type: nobody signs in by a wallet here", code="web3_provider_disabled")
        case other:
            raise Invalid(
                f"grant_type: got {other!r}, wanted password, refresh_token, pkce or id_token", field="grant_type"
            )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One password, counted before it is looked at. alert: that it is the last one, should it be wrong."""

    account: Account | None
    counters: tuple[Counter, ...]
    alert: str | None


def _by_password(services: Services, call: Call) -> Reply:
    entry = services.entry(call.path["vault"])
    given: dict[str, Any] = read_body(call, {"email": Email(required=True), "password": REQUIRED_PASSWORD})
    doer = actor(call, "auth.session")
    before = begun(services, call, doer)
    if before.reply is not None:
        return before.reply
    attempt = _take_password_attempt(services, call, entry, given["email"])
    account = attempt.account
    # The same work for an unknown address, so that the time taken says nothing.
    if not verify_password(given["password"], account.password_hash if account else None) or account is None:
        raise NotAuthenticated("the address or the password is wrong", code="invalid_credentials")
    known = require_enabled(account, call.now)
    stored = known.password_hash or ""
    fresh = hash_password(given["password"], call.now) if needs_rehash(stored) else None

    def sign_in(tx: WriteTx) -> None:
        give_back(tx, attempt.counters)
        if attempt.alert is not None:
            withdraw_alert(tx, attempt.alert)
        know_network(tx, services.keyring, known.email, network_of(call.address), call.now)
        if fresh is not None:
            replace_password_hash(tx, known.id, stored, fresh)
        record_sign_in(tx, known.id, call.now)

    return enter(services, call, entry, known, "password", doer=doer, beside=sign_in)


def _take_password_attempt(services: Services, call: Call, entry: VaultEntry, email: str) -> _Attempt:
    """The account of the address, if any, and the attempt counted. Raises RateLimited, for unknown addresses too.

    The alert that it was the last stands in the same commit, before it is known whether it was wrong: a commit of its
    own would take time that tells which addresses have an account.
    """
    network = network_of(call.address)

    def look(tx: ReadTx) -> None:
        require_attempt(tx, password_counters(tx, services.keyring, email, network, call.now), call.now)

    def take(tx: WriteTx) -> _Attempt:
        counters = password_counters(tx, services.keyring, email, network, call.now)
        account = find_account_by_email(tx, email)
        last = take_attempt(tx, counters, call.now)
        told = record_alert(tx, "password_guessed", account.id, entry.id, call.now) if last and account else None
        return _Attempt(account, counters, told)

    # What is over the limit costs a read; only what is not costs a commit.
    services.registry_read(look)
    return services.registry_write(take, actor(call, "auth.password"), call.now)


def _by_refresh_token(services: Services, call: Call) -> Reply:
    entry = services.entry(call.path["vault"])
    field = Text(required=True, max_characters=TOKEN_CHARACTERS)
    token: str = read_body(call, {"refresh_token": field})["refresh_token"]

    def rotate(tx: WriteTx) -> Refreshed | Refused:
        return rotate_refresh_token(tx, services.keyring, token, entry.id, call.now)

    doer = actor(call, "auth.refresh")
    reply = answered(services, call, doer, rotate, session_shown(services, call))
    account_id: str = json.loads(reply.body)["user"]["id"]
    account = services.registry_read(lambda tx: find_account(tx, account_id))
    if account is None:
        raise NotAuthenticated("this session has ended; sign in again", code="token_invalid")
    try:
        require_registered(services, entry, account)
    except Forbidden:
        end_of_former(services, call, entry, account)
        raise
    return reply


def _by_code(services: Services, call: Call) -> Reply:
    """The session of a sign-in that went through a provider or a mailbox, for the client that began it (PKCE)."""
    entry = services.entry(call.path["vault"])
    field = Text(required=True, max_characters=TOKEN_CHARACTERS)
    invite = Text(max_characters=TOKEN_CHARACTERS)
    given: dict[str, Any] = read_body(call, {"auth_code": field, "code_verifier": field, "invite_token": invite})

    doer = actor(call, "auth.exchange_code")
    before = begun(services, call, doer)
    if before.reply is not None:
        return before.reply

    def exchange(tx: WriteTx) -> tuple[Exchanged, Account | None]:
        if before.done:
            return Exchanged(before.done["account"], before.done["method"]), find_account(tx, before.done["account"])
        who = exchange_code(tx, given["auth_code"], given["code_verifier"], entry.id, call.now)
        if who.link is not None:
            provider, subject, data = who.link
            # Only now is it certain that the client that asked for the link is the one that was sent out.
            if link_identity(tx, who.account_id, provider, subject, call.now, data):
                alert(tx, "identity_linked", who.account_id, entry, call.now)
        keep_step(tx, services, call, doer, account=who.account_id, method=who.method)
        return who, find_account(tx, who.account_id)

    who, account = services.registry_write(exchange, doer, call.now)
    if who.link is not None:
        services.deliver(services.registry)
    if account is None:
        raise NotAuthenticated("this account is gone; sign in again", code="flow_state_not_found")
    if given.get("invite_token"):
        accept_invitation(services, call, entry, account, given["invite_token"])
    return enter(services, call, entry, account, who.method, doer=doer)
