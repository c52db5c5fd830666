"""Accounts: who can sign in on this platform. Knows password hashes; no passwords, sessions only to end them.

What an account may do is decided inside each vault. Callers hash and verify (db/passwords.py) outside the transaction.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Forbidden, NotFound
from db.fields import normalise_email
from db.registry.sessions import revoke_all_sessions
from db.transaction import ReadTx, Row, WriteTx


@dataclass(frozen=True, slots=True)
class Account:
    """One person's way in. email is normalised; timestamps are 24 characters of UTC or None.

    user_metadata: what the person says of itself beside the name. app_metadata: what operators say of it.
    new_email: an address asked for; new_email_agreed: the mailbox (old or new) that has confirmed it so far.
    """

    id: str
    email: str
    name: str | None
    password_hash: str | None = field(repr=False)
    created_at: str
    email_confirmed_at: str | None
    disabled_at: str | None
    last_sign_in_at: str | None
    user_metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    app_metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    new_email: str | None = None
    new_email_agreed: str | None = None
    updated_at: str | None = None
    banned_until: str | None = None


def create_account(
    tx: WriteTx,
    email: str,
    now: Moment,
    *,
    name: str | None = None,
    password_hash: str | None = None,
    account_id: str | None = None,
) -> Account:
    """A new account with an unconfirmed address. Raises Invalid, Conflict `already_registered`."""
    address = normalise_email(email)
    if find_account_by_email(tx, address) is not None:
        raise Conflict("an account with this address exists; sign in instead", code="already_registered", field="email")
    new_id = account_id or now.new_id()
    tx.insert(
        "accounts",
        id=new_id,
        email=address,
        name=name,
        password_hash=password_hash,
        created_at=now.text,
    )
    return get_account(tx, new_id)


def find_account(tx: ReadTx, account_id: str) -> Account | None:
    """The account of that id, disabled ones included, or None."""
    return account_of(tx.row("SELECT * FROM accounts WHERE id = :id", id=account_id))


def get_account(tx: ReadTx, account_id: str) -> Account:
    """The account of that id, disabled ones included. Raises NotFound `user_not_found`."""
    account = find_account(tx, account_id)
    if account is None:
        raise NotFound("no account with this id", code="user_not_found")
    return account


def find_account_by_email(tx: ReadTx, email: str) -> Account | None:
    """The account of that address, disabled ones included, or None. Raises Invalid for what is no address."""
    return account_of(tx.row("SELECT * FROM accounts WHERE email = :email", email=normalise_email(email)))


def require_enabled(account: Account, now: Moment) -> Account:
    """The same account. Raises Forbidden `account_disabled`, for a banned one too."""
    if account.disabled_at is not None:
        raise Forbidden("this account is disabled; ask the operator of the platform", code="account_disabled")
    if account.banned_until is not None and now.text < account.banned_until:
        raise Forbidden(f"this account is banned until {account.banned_until}", code="account_disabled")
    return account


def sign_in_by_mail(
    tx: WriteTx, email: str, now: Moment, *, keep_password: bool = False, account_id: str | None = None
) -> Account:
    """The account of somebody who just proved to read this mailbox, made if there is none; counts as a sign-in.

    The first proof drops a password that was set before it: whoever typed the address first may be somebody else,
    waiting for its owner to arrive. keep_password: the proof is of the very person that set it.
    account_id: of the account that is made. Raises Forbidden `account_disabled`.
    """
    account = find_account_by_email(tx, email) or create_account(tx, email, now, account_id=account_id)
    require_enabled(account, now)
    if account.email_confirmed_at is None:
        if account.password_hash is not None and not keep_password:
            tx.execute("UPDATE accounts SET password_hash = NULL WHERE id = :id", id=account.id)
            revoke_all_sessions(tx, account.id, "password_changed", now)
        tx.execute("UPDATE accounts SET email_confirmed_at = :now WHERE id = :id", id=account.id, now=now.text)
    return record_sign_in(tx, account.id, now)


def record_sign_in(tx: WriteTx, account_id: str, now: Moment) -> Account:
    """The account with its last sign-in set to now. Raises NotFound, Forbidden `account_disabled`."""
    account = require_enabled(get_account(tx, account_id), now)
    tx.execute("UPDATE accounts SET last_sign_in_at = :now WHERE id = :id", id=account.id, now=now.text)
    return get_account(tx, account_id)


def account_of(row: Row | None) -> Account | None:
    """The account in a row of the table, or None for none."""
    if row is None:
        return None
    parsed = {name: json.loads(row[name]) for name in ("user_metadata", "app_metadata")}
    return Account(**{**dict(row), **parsed})
