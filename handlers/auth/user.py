"""`/user` and `/logout`: the signed-in person, what it changes of itself, and its way out."""

import json
from typing import Any

from db.errors import Invalid
from db.fields import Email, Field, JsonObject, Text, parse_fields
from db.passwords import hash_password, verify_password
from db.registry.account_changes import ask_for_email, merge_user_metadata, set_account_name, set_password
from db.registry.attempts import FACTOR_BY_ACCOUNT, counter, give_back, take_attempt
from db.registry.code_proofs import verify_code
from db.registry.directory import VaultEntry
from db.registry.email_codes import Errand
from db.registry.notices import alert
from db.registry.profiles import profile_of
from db.registry.refusal import Refused, accepted
from db.registry.sessions import SignOutScope, revoke_sessions
from db.transaction import ReadTx, WriteTx
from handlers.auth.caller import PASSWORD, SignedIn, actor, person, read_body, require_shown, signed_in
from handlers.auth.codes import send_code
from handlers.auth.once import always, answered, as_json, begun, keep_step
from handlers.auth.redirects import redirect_parameter
from handlers.auth.user_shape import user
from handlers.http.call import Call
from handlers.http.identity import Identity
from handlers.http.reply import Reply
from handlers.services import Services

# A password is changed within a day of signing in, or after showing once more who one is.
FRESH_SECONDS = 24 * 3600


def get_user(services: Services, call: Call) -> Reply:
    """The signed-in account. Asks the registry, so a signed-out session is refused at once."""
    _, identity = person(services, call)

    def read(tx: ReadTx) -> dict[str, Any]:
        return user(profile_of(tx, signed_in(identity, call)(tx).account))

    return Reply(200, json.dumps(services.registry_read(read, current=True), ensure_ascii=False))


def update_user(services: Services, call: Call) -> Reply:
    """Change password, address, or what the person says of itself (`data`; null takes a name away).

    A new password ends the other sessions; a new address waits until both mailboxes agreed. Both want the second
    factor of an account that has one. Raises Invalid `reauthentication_needed`, `reauthentication_not_valid` or
    `same_password`, Forbidden `insufficient_aal`.
    """
    entry, identity = person(services, call)
    fields: dict[str, Field] = {
        "password": PASSWORD,
        "current_password": PASSWORD,
        "nonce": Text(max_characters=20),
        "email": Email(),
        "data": JsonObject(),
    }
    given = read_body(call, fields)
    password: str | None = given.get("password")
    if "password" in given and password is None:
        raise Invalid("password: must not be empty", field="password")
    data: dict[str, Any] = given.get("data") or {}
    named = parse_fields({name: value for name, value in data.items() if name == "name"}, {"name": Text()})
    redirect_to = redirect_parameter(services, entry, call)
    doer = actor(call, "auth.update_user", identity)
    before = begun(services, call, doer)
    if before.reply is not None:
        return before.reply
    if password is not None and not before.done:
        _change_password(services, call, entry, identity, given)

    def change(tx: WriteTx) -> dict[str, Any]:
        account = signed_in(identity, call)(tx).account
        email: str | None = given.get("email")
        if email is not None and email != account.email:
            require_shown(tx, signed_in(identity, call)(tx))
            ask_for_email(tx, account.id, email, call.now)
            errand, about = Errand("email_change", account.id), f"The new address is to be {email}."
            for mailbox in (email, account.email) if account.email_confirmed_at else (email,):
                send_code(tx, services, call, entry, mailbox, errand, redirect_to, about)
        if "name" in named:
            set_account_name(tx, account.id, named["name"])
        rest = {name: value for name, value in data.items() if name != "name"}
        if rest:
            merge_user_metadata(tx, account.id, rest, call.now)
        return user(profile_of(tx, signed_in(identity, call)(tx).account))

    reply = answered(services, call, doer, change, as_json)
    services.deliver(services.registry)
    return reply


def sign_out(services: Services, call: Call) -> Reply:
    """End this session (scope=local), the others, or all of this account in this vault (global, the default).

    Sessions of other vaults that were made from an ended one end with it.
    """
    entry, identity = person(services, call)
    scope = _scope(call.parameter("scope") or "global")

    def revoke(tx: WriteTx) -> int:
        return revoke_sessions(tx, identity.account_id, entry.id, identity.session_id, scope, call.now)

    return answered(services, call, actor(call, "auth.sign_out", identity), revoke, always(204))


def _change_password(
    services: Services, call: Call, entry: VaultEntry, identity: Identity, given: dict[str, Any]
) -> None:
    current: str | None = given.get("current_password")
    who = services.registry_read(signed_in(identity, call), current=True)
    stored = who.account.password_hash
    # Hashing takes its time on purpose: not inside a transaction.
    hashed = hash_password(given["password"], call.now)
    knows = current is not None and stored is not None and _is_current(services, call, identity, current, stored)
    if stored is not None and verify_password(given["password"], stored):
        raise Invalid("password: it is the one in force; choose another", code="same_password", field="password")

    def change(tx: WriteTx) -> Refused | None:
        now_in = signed_in(identity, call)(tx)
        require_shown(tx, now_in)
        stale = now_in.session.created_at <= call.now.later(seconds=-FRESH_SECONDS)
        if stale and not knows:
            refused = _check_nonce(tx, services, call, entry, now_in, given.get("nonce"))
            if refused is not None:
                return refused
        set_password(tx, now_in.account.id, hashed, call.now, keep_session_id=identity.session_id)
        alert(tx, "password_changed", now_in.account.id, entry, call.now)
        keep_step(tx, services, call, actor(call, "auth.update_user", identity), password=True)
        return None

    accepted(services.registry_write(change, actor(call, "auth.change_password", identity), call.now))


def _is_current(services: Services, call: Call, identity: Identity, password: str, stored: str) -> bool:
    """Whether it is the password in force, counted like a code of a second factor. Raises RateLimited, Invalid."""
    counters = (counter(services.keyring, FACTOR_BY_ACCOUNT, identity.account_id, "password"),)
    doer = actor(call, "auth.change_password", identity)
    services.registry_write(lambda tx: take_attempt(tx, counters, call.now), doer, call.now)
    if not verify_password(password, stored):
        raise Invalid("current_password: it is wrong", code="reauthentication_not_valid", field="current_password")
    services.registry_write(lambda tx: give_back(tx, counters), doer, call.now)
    return True


def _check_nonce(
    tx: WriteTx, services: Services, call: Call, entry: VaultEntry, who: SignedIn, nonce: str | None
) -> Refused | None:
    """None for the code that was mailed to show once more who it is; a wrong one is counted. Raises Invalid."""
    if not nonce:
        raise Invalid(
            "this session is older than a day: show once more who you are",
            code="reauthentication_needed",
            hint="GET reauthenticate mails a code; send it as nonce, or send current_password",
        )
    ring, email = services.keyring, who.account.email
    verified = verify_code(tx, ring, email, nonce, entry.id, call.now, ("reauthentication",))
    if not isinstance(verified, Refused):
        return None
    return Refused(Invalid(verified.error.message, code="reauthentication_not_valid", field="nonce"))


def _scope(text: str) -> SignOutScope:
    match text:
        case "local" | "others" | "global":
            return text
        case _:
            raise Invalid(f"scope: got {text!r}, wanted local, others or global", field="scope")
