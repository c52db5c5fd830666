"""`/admin/users`: accounts of people in this vault, for operators' tokens. An account is one for all its vaults."""

import json
import re
from typing import Any

from db.errors import Conflict, Forbidden, Invalid, NotFound
from db.fields import Email, Field, Flag, JsonObject, Text
from db.passwords import hash_password
from db.registry.account_changes import (
    ban_account,
    delete_account,
    disable_account,
    enable_account,
    merge_app_metadata,
    merge_user_metadata,
    replace_email,
    set_account_name,
    set_password,
)
from db.registry.accounts import Account, create_account, find_account, find_account_by_email, get_account
from db.registry.directory import VaultEntry
from db.registry.memberships import is_member, list_members, record_membership
from db.registry.profiles import profile_of
from db.transaction import ReadTx, WriteTx
from handlers.auth.caller import PASSWORD, actor, operator, read_body
from handlers.auth.once import always, answered, as_json
from handlers.auth.user_shape import user
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

PER_PAGE, MOST_PER_PAGE = 50, 1000
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ARGON2 = re.compile(r"\$argon2id\$v=19\$m=\d{1,8},t=\d{1,4},p=\d{1,3}\$[A-Za-z0-9+/]{11,100}\$[A-Za-z0-9+/]{20,200}")
# As clients write a span of time: `24h`, `1h30m`.
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(h|m|s|ms)")
_SPAN_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
LONGEST_BAN_S = 100 * 366 * 86400


def list_users(services: Services, call: Call) -> Reply:
    """A page of the people this vault admitted: `{users, aud}`, the number of all in `x-total-count`."""
    entry, _ = operator(services, call, writes=False)
    page, per_page = _number(call, "page", 1, 10**6), _number(call, "per_page", PER_PAGE, MOST_PER_PAGE)

    def read(tx: ReadTx) -> tuple[list[dict[str, Any]], int]:
        accounts, total = list_members(tx, entry.id, page, per_page)
        return [user(profile_of(tx, account)) for account in accounts], total

    users, total = services.registry_read(read, current=True)
    body = json.dumps({"users": users, "aud": "authenticated"}, ensure_ascii=False)
    return Reply(200, body, headers=(("x-total-count", str(total)),))


def get_user(services: Services, call: Call) -> Reply:
    """One person of this vault. Raises NotFound `user_not_found`."""
    entry, _ = operator(services, call, writes=False)
    return _shown(services.registry_read(lambda tx: user(profile_of(tx, member(tx, entry, call))), current=True))


def create_user(services: Services, call: Call) -> Reply:
    """A new account, on this vault's list. Whether it may enter is the vault's to say.

    Raises Conflict `email_exists`, Invalid.
    """
    entry, identity = operator(services, call, writes=True)
    given = _attributes(call)
    if given.get("email") is None:
        raise Invalid("email: required", field="email")
    wanted_id: str | None = given.get("id")
    if wanted_id is not None and not _UUID.fullmatch(wanted_id):
        raise Invalid("id: wanted a UUID in lower case", field="id")
    hashed = _password_hash(given, call)

    def create(tx: WriteTx) -> dict[str, Any]:
        if find_account_by_email(tx, given["email"]) is not None:
            raise Conflict("an account with this address exists", code="email_exists", field="email")
        if wanted_id is not None and find_account(tx, wanted_id) is not None:
            raise Conflict("an account with this id exists", code="user_already_exists", field="id")
        made = create_account(tx, given["email"], call.now, password_hash=hashed, account_id=wanted_id)
        record_membership(tx, made.id, entry.id, call.now)
        _apply(tx, made, {**given, "email": None}, call)
        return user(profile_of(tx, get_account(tx, made.id)))

    return answered(services, call, actor(call, "auth.admin_create_user", identity), create, as_json)


def update_user(services: Services, call: Call) -> Reply:
    """The person after the change; metadata is merged, null takes a name away, a new password ends every session.

    Raises NotFound `user_not_found`, Conflict `email_exists`, Invalid.
    """
    entry, identity = operator(services, call, writes=True)
    given = _attributes(call)
    hashed = _password_hash(given, call)

    def change(tx: WriteTx) -> dict[str, Any]:
        account = member(tx, entry, call)
        if hashed is not None:
            set_password(tx, account.id, hashed, call.now)
        _apply(tx, account, given, call)
        return user(profile_of(tx, get_account(tx, account.id)))

    return answered(services, call, actor(call, "auth.admin_update_user", identity), change, as_json)


def delete_user(services: Services, call: Call) -> Reply:
    """Remove the account from the platform, with every session; `should_soft_delete` only disables it."""
    entry, identity = operator(services, call, writes=True)
    soft = bool(read_body(call, {"should_soft_delete": Flag()}).get("should_soft_delete"))

    def remove(tx: WriteTx) -> None:
        account = member(tx, entry, call)
        if soft:
            disable_account(tx, account.id, call.now)
        else:
            delete_account(tx, account.id)

    doer = actor(call, "auth.admin_delete_user", identity)
    return answered(services, call, doer, remove, always(200, "{}"))


def member(tx: ReadTx, entry: VaultEntry, call: Call) -> Account:
    """The account a path names, of the people of this vault. Raises NotFound `user_not_found`."""
    account = find_account(tx, call.path["user"])
    if account is None or not is_member(tx, account.id, entry.id):
        raise NotFound("nobody of this vault has this id", code="user_not_found")
    return account


def _attributes(call: Call) -> dict[str, Any]:
    fields: dict[str, Field] = {
        "id": Text(),
        "email": Email(),
        "password": PASSWORD,
        "password_hash": Text(max_characters=400),
        "email_confirm": Flag(),
        "user_metadata": JsonObject(),
        "app_metadata": JsonObject(),
        "ban_duration": Text(),
        "role": Text(),
    }
    given = read_body(call, fields)
    if given.get("role") not in (None, "authenticated"):
        raise Forbidden("role: what somebody may do is the vault's to say; here all are `authenticated`")
    return given


def _password_hash(given: dict[str, Any], call: Call) -> str | None:
    """The hash to store, or None for no change. Hashing takes its time on purpose: not inside a transaction."""
    hashed: str | None = given.get("password_hash")
    if hashed is not None and not _ARGON2.fullmatch(hashed):
        raise Invalid("password_hash: wanted argon2id in its text form", field="password_hash")
    password: str | None = given.get("password")
    return hashed if password is None else hash_password(password, call.now)


def _apply(tx: WriteTx, account: Account, given: dict[str, Any], call: Call) -> None:
    """What a body says of an account beside its password."""
    email: str | None = given.get("email")
    if email is not None and email != account.email:
        holder = find_account_by_email(tx, email)
        if holder is not None:
            raise Conflict("an account with this address exists", code="email_exists", field="email")
        replace_email(tx, account.id, email, call.now)
    if given.get("email_confirm"):
        replace_email(tx, account.id, email or account.email, call.now)
    data: dict[str, Any] = given.get("user_metadata") or {}
    if "name" in data:
        set_account_name(tx, account.id, None if data["name"] is None else Text().parse(data["name"], "name"))
    rest = {name: value for name, value in data.items() if name != "name"}
    if rest:
        merge_user_metadata(tx, account.id, rest, call.now)
    if given.get("app_metadata"):
        merge_app_metadata(tx, account.id, given["app_metadata"], call.now)
    span: str | None = given.get("ban_duration")
    if span == "none":
        enable_account(tx, account.id)
    elif span is not None:
        ban_account(tx, account.id, _seconds(span), call.now)


def _seconds(span: str) -> int:
    """The seconds of a span such as `1h30m`. Raises Invalid."""
    parts = _SPAN.findall(span)
    total = sum(float(number) * _SPAN_SECONDS[unit] for number, unit in parts)
    if not parts or "".join(number + unit for number, unit in parts) != span or not 1 <= total <= LONGEST_BAN_S:
        raise Invalid(f"ban_duration: got {span!r}, wanted a time such as 24h, or none", field="ban_duration")
    return int(total)


def _number(call: Call, name: str, default: int, most: int) -> int:
    text = call.parameter(name) or ""
    if not text:
        return default
    if not re.fullmatch(r"\d{1,7}", text) or not 1 <= int(text) <= most:
        raise Invalid(f"{name}: got {text!r}, wanted 1 to {most}", field=name)
    return int(text)


def _shown(shape: dict[str, Any]) -> Reply:
    return Reply(200, json.dumps(shape, ensure_ascii=False))
