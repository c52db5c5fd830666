"""`/invite` and `/admin/generate_link`: ways in that operators' tokens make for somebody, mailed or handed back."""

import json
from typing import Any
from urllib.parse import urlencode

from db.errors import Conflict, Invalid, NotFound
from db.fields import Choice, Email, JsonObject
from db.passwords import hash_password
from db.registry.account_changes import ask_for_email, merge_user_metadata
from db.registry.accounts import Account, create_account, find_account_by_email, get_account
from db.registry.directory import VaultEntry
from db.registry.email_codes import Errand, IssuedCode, issue_code
from db.registry.memberships import record_membership
from db.registry.profiles import profile_of
from db.transaction import WriteTx
from handlers.auth.caller import PASSWORD, actor, operator, read_body
from handlers.auth.codes import send_code
from handlers.auth.once import answered
from handlers.auth.redirects import redirect_parameter
from handlers.auth.user_shape import unconfirmed_user, user
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

_PURPOSES = {
    "signup": "sign_up",
    "invite": "invite",
    "magiclink": "sign_in",
    "recovery": "recovery",
    "email_change_current": "email_change",
    "email_change_new": "email_change",
}


def invite(services: Services, call: Call) -> Reply:
    """Mail an invitation, good for a day; the account is made if there is none. Whether it may enter is the vault's."""
    entry, identity = operator(services, call, writes=True)
    given: dict[str, Any] = read_body(call, {"email": Email(required=True), "data": JsonObject()})
    redirect_to = redirect_parameter(services, entry, call)

    def send(tx: WriteTx) -> dict[str, Any]:
        account = _made(tx, entry, given["email"], given.get("data"), call)
        send_code(tx, services, call, entry, account.email, Errand("invite", account.id), redirect_to)
        return user(profile_of(tx, account))

    def invited(_: WriteTx, shape: dict[str, Any]) -> Reply:
        return Reply(200, json.dumps({**shape, "invited_at": call.now.text}, ensure_ascii=False))

    reply = answered(services, call, actor(call, "auth.invite", identity), send, invited)
    services.deliver(services.registry)
    return reply


def generate_link(services: Services, call: Call) -> Reply:
    """A link and a code that nobody was mailed, for an operator who brings them to the person.

    Raises Conflict `email_exists` (a sign-up of somebody who is there), NotFound `user_not_found`, Invalid.
    """
    entry, identity = operator(services, call, writes=True)
    given: dict[str, Any] = read_body(
        call,
        {
            "type": Choice(tuple(_PURPOSES), required=True),
            "email": Email(required=True),
            "password": PASSWORD,
            "new_email": Email(),
            "data": JsonObject(),
        },
    )
    kind, redirect_to = given["type"], redirect_parameter(services, entry, call)
    if kind == "signup" and given.get("password") is None:
        raise Invalid("password: required for a sign-up", field="password")
    if _PURPOSES[kind] == "email_change" and given.get("new_email") is None:
        raise Invalid("new_email: required for a change of address", field="new_email")
    hashed = hash_password(given["password"], call.now) if kind == "signup" else None

    def make(tx: WriteTx) -> tuple[IssuedCode, dict[str, Any]]:
        return _issue(tx, services, call, entry, given, hashed)

    def linked(_: WriteTx, made: tuple[IssuedCode, dict[str, Any]]) -> Reply:
        issued, shape = made
        link = _link(services, entry, kind, issued, redirect_to)
        return Reply(200, json.dumps({**shape, **link}, ensure_ascii=False))

    return answered(services, call, actor(call, "auth.generate_link", identity), make, linked)


def _link(services: Services, entry: VaultEntry, kind: str, issued: IssuedCode, redirect_to: str) -> dict[str, Any]:
    """What the operator brings to the person."""
    page_type = "email_change" if _PURPOSES[kind] == "email_change" else kind
    query = {"type": page_type, "token_hash": issued.token} | ({"redirect_to": redirect_to} if redirect_to else {})
    return {
        "action_link": f"{services.settings.base_url}/{entry.slug}/auth/v1/verify?{urlencode(query)}",
        "email_otp": issued.code,
        "hashed_token": issued.token,
        "redirect_to": redirect_to,
        "verification_type": kind,
    }


def _issue(
    tx: WriteTx, services: Services, call: Call, entry: VaultEntry, given: dict[str, Any], hashed: str | None
) -> tuple[IssuedCode, dict[str, Any]]:
    """The code and link, and the user they are for."""
    kind: str = given["type"]
    email: str = given["email"]
    data: dict[str, Any] = given.get("data") or {}
    account = find_account_by_email(tx, email)
    if kind == "signup":
        if account is not None and account.email_confirmed_at is not None:
            raise Conflict("an account with this address exists", code="email_exists", field="email")
        account_id = call.now.new_id() if account is None else account.id
        shape = unconfirmed_user(account_id, email, data, call.now.text)
        errand = Errand("sign_up", account_id, hashed, data)
        return issue_code(tx, services.keyring, email, entry.id, call.now, errand=errand, with_token=True), shape
    if kind in ("invite", "magiclink"):
        account = _made(tx, entry, email, data, call)
    if account is None:
        raise NotFound("no account with this address", code="user_not_found")
    mailbox = email
    if _PURPOSES[kind] == "email_change":
        if account.new_email != given["new_email"]:
            ask_for_email(tx, account.id, given["new_email"], call.now)
        mailbox = given["new_email"] if kind == "email_change_new" else account.email
    errand = Errand(_PURPOSES[kind], account.id)
    issued = issue_code(tx, services.keyring, mailbox, entry.id, call.now, errand=errand, with_token=True)
    return issued, user(profile_of(tx, get_account(tx, account.id)))


def _made(tx: WriteTx, entry: VaultEntry, email: str, data: dict[str, Any] | None, call: Call) -> Account:
    """The account of the address, made if there is none, on this vault's list."""
    account = find_account_by_email(tx, email)
    if account is None:
        account = create_account(tx, email, call.now)
        if data:
            account = merge_user_metadata(tx, account.id, data, call.now)
    record_membership(tx, account.id, entry.id, call.now)
    return account
