"""Accounts: who can sign in on this platform, and their identities elsewhere. Knows password hashes; no passwords.

What an account may do is decided inside each vault. Callers hash and verify (db/passwords.py) outside the transaction.
"""

from dataclasses import dataclass, field

from db.clock import Moment
from db.errors import Conflict, Forbidden, NotFound
from db.fields import normalise_email
from db.registry.refresh_tokens import revoke_all_sessions
from db.transaction import ReadTx, Row, WriteTx


@dataclass(frozen=True, slots=True)
class Account:
    """One person's way in. email is normalised; timestamps are 24 characters of UTC or None."""

    id: str
    email: str
    name: str | None
    password_hash: str | None = field(repr=False)
    created_at: str
    email_confirmed_at: str | None
    disabled_at: str | None
    last_sign_in_at: str | None


def create_account(
    tx: WriteTx, email: str, now: Moment, *, name: str | None = None, password_hash: str | None = None
) -> Account:
    """A new account with an unconfirmed address. Raises Invalid, Conflict `already_registered`."""
    address = normalise_email(email)
    if find_account_by_email(tx, address) is not None:
        raise Conflict("an account with this address exists; sign in instead", code="already_registered", field="email")
    account_id = now.new_id()
    tx.insert(
        "accounts",
        id=account_id,
        email=address,
        name=name,
        password_hash=password_hash,
        created_at=now.text,
    )
    return Account(account_id, address, name, password_hash, now.text, None, None, None)


def find_account(tx: ReadTx, account_id: str) -> Account | None:
    """The account of that id, disabled ones included, or None."""
    return _account(tx.row("SELECT * FROM accounts WHERE id = :id", id=account_id))


def find_account_by_email(tx: ReadTx, email: str) -> Account | None:
    """The account of that address, disabled ones included, or None. Raises Invalid for what is no address."""
    return _account(tx.row("SELECT * FROM accounts WHERE email = :email", email=normalise_email(email)))


def require_enabled(account: Account) -> Account:
    """The same account. Raises Forbidden `account_disabled`."""
    if account.disabled_at is not None:
        raise Forbidden("this account is disabled; ask the operator of the platform", code="account_disabled")
    return account


def sign_in_by_mail(tx: WriteTx, email: str, now: Moment, *, keep_password: bool = False) -> Account:
    """The account of somebody who just proved to read this mailbox, made if there is none; counts as a sign-in.

    The first proof drops a password that was set before it: whoever typed the address first may be somebody else,
    waiting for its owner to arrive. keep_password: the proof completes a sign-up by password on the same device.
    Raises Forbidden `account_disabled`.
    """
    account = find_account_by_email(tx, email) or create_account(tx, email, now)
    require_enabled(account)
    if account.email_confirmed_at is None:
        if account.password_hash is not None and not keep_password:
            tx.execute("UPDATE accounts SET password_hash = NULL WHERE id = :id", id=account.id)
            revoke_all_sessions(tx, account.id, "password_changed", now)
        tx.execute("UPDATE accounts SET email_confirmed_at = :now WHERE id = :id", id=account.id, now=now.text)
    return record_sign_in(tx, account.id, now)


def record_sign_in(tx: WriteTx, account_id: str, now: Moment) -> Account:
    """The account with its last sign-in set to now. Raises NotFound, Forbidden `account_disabled`."""
    account = require_enabled(_required(tx, account_id))
    tx.execute("UPDATE accounts SET last_sign_in_at = :now WHERE id = :id", id=account.id, now=now.text)
    return _required(tx, account_id)


def set_password(
    tx: WriteTx, account_id: str, password_hash: str, now: Moment, *, keep_session_id: str | None = None
) -> None:
    """Replace the password and end every session but the one it was changed in. Raises NotFound."""
    _required(tx, account_id)
    tx.execute("UPDATE accounts SET password_hash = :hash WHERE id = :id", id=account_id, hash=password_hash)
    revoke_all_sessions(tx, account_id, "password_changed", now, keep_session_id=keep_session_id)


def replace_password_hash(tx: WriteTx, account_id: str, old_hash: str, new_hash: str) -> None:
    """Store today's hash of the same password, unless the password was changed meanwhile; sessions stay."""
    tx.execute(
        "UPDATE accounts SET password_hash = :new WHERE id = :id AND password_hash = :old",
        id=account_id,
        old=old_hash,
        new=new_hash,
    )


def set_account_name(tx: WriteTx, account_id: str, name: str | None) -> Account:
    """The account under its new name. Raises NotFound."""
    _required(tx, account_id)
    tx.execute("UPDATE accounts SET name = :name WHERE id = :id", id=account_id, name=name)
    return _required(tx, account_id)


def disable_account(tx: WriteTx, account_id: str, now: Moment) -> None:
    """Refuse this account from now on and end its sessions in every vault; twice is once. Raises NotFound."""
    _required(tx, account_id)
    tx.execute(
        "UPDATE accounts SET disabled_at = :now WHERE id = :id AND disabled_at IS NULL", id=account_id, now=now.text
    )
    revoke_all_sessions(tx, account_id, "account_disabled", now)


def enable_account(tx: WriteTx, account_id: str) -> None:
    """Let a disabled account sign in again; its ended sessions stay ended. Raises NotFound."""
    _required(tx, account_id)
    tx.execute("UPDATE accounts SET disabled_at = NULL WHERE id = :id", id=account_id)


def link_identity(tx: WriteTx, account_id: str, provider: str, subject: str, now: Moment) -> None:
    """Let this subject of an outside provider sign in here; twice is once.

    Raises NotFound, and Conflict `duplicate` when the subject leads to another account.
    """
    _required(tx, account_id)
    linked = find_account_by_identity(tx, provider, subject)
    if linked is not None and linked.id != account_id:
        raise Conflict(f"this {provider} identity belongs to another account", code="duplicate", field="subject")
    if linked is None:
        tx.insert("identities", account_id=account_id, provider=provider, subject=subject, created_at=now.text)


_BY_IDENTITY = """
SELECT accounts.* FROM identities JOIN accounts ON accounts.id = identities.account_id
 WHERE identities.provider = :provider AND identities.subject = :subject
"""


def find_account_by_identity(tx: ReadTx, provider: str, subject: str) -> Account | None:
    """The account this subject of an outside provider leads to, or None."""
    return _account(tx.row(_BY_IDENTITY, provider=provider, subject=subject))


def _required(tx: ReadTx, account_id: str) -> Account:
    account = find_account(tx, account_id)
    if account is None:
        raise NotFound("no account with this id")
    return account


def _account(row: Row | None) -> Account | None:
    return None if row is None else Account(**dict(row))
