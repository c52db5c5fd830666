"""Changes of an account: password, name, metadata, address, ban, end. Knows sessions to end; checks no right."""

import json
from collections.abc import Mapping
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Invalid
from db.fields import normalise_email
from db.registry.accounts import Account, find_account_by_email, get_account
from db.registry.sessions import revoke_all_sessions
from db.transaction import WriteTx

METADATA_CHARACTERS = 8_000


def set_password(
    tx: WriteTx, account_id: str, password_hash: str, now: Moment, *, keep_session_id: str | None = None
) -> None:
    """Replace the password and end every session but the one it was changed in. Raises NotFound."""
    get_account(tx, account_id)
    change = "UPDATE accounts SET password_hash = :hash, updated_at = :now WHERE id = :id"
    tx.execute(change, id=account_id, hash=password_hash, now=now.text)
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
    get_account(tx, account_id)
    tx.execute("UPDATE accounts SET name = :name WHERE id = :id", id=account_id, name=name)
    return get_account(tx, account_id)


def merge_user_metadata(tx: WriteTx, account_id: str, data: Mapping[str, Any], now: Moment) -> Account:
    """The account with these names added to what the person says of itself; null removes a name.

    Raises NotFound, Invalid for more than 8,000 characters of JSON.
    """
    merged = merged_metadata(get_account(tx, account_id).user_metadata, data)
    change = "UPDATE accounts SET user_metadata = :data, updated_at = :now WHERE id = :id"
    tx.execute(change, id=account_id, data=merged, now=now.text)
    return get_account(tx, account_id)


def merge_app_metadata(tx: WriteTx, account_id: str, data: Mapping[str, Any], now: Moment) -> Account:
    """The account with these names added to what operators say of it; as `merge_user_metadata`."""
    merged = merged_metadata(get_account(tx, account_id).app_metadata, data)
    change = "UPDATE accounts SET app_metadata = :data, updated_at = :now WHERE id = :id"
    tx.execute(change, id=account_id, data=merged, now=now.text)
    return get_account(tx, account_id)


def merged_metadata(old: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Both as JSON text, without the names that are null. Raises Invalid when it gets too long."""
    merged = {name: value for name, value in {**old, **data}.items() if value is not None}
    text = json.dumps(merged, separators=(",", ":"))
    if len(text) > METADATA_CHARACTERS:
        raise Invalid(f"data: got {len(text)} characters of JSON, the limit is {METADATA_CHARACTERS}", field="data")
    return text


_END_EARLIER = """
UPDATE email_codes SET killed_at = :now
 WHERE account_id = :id AND purpose = 'email_change' AND used_at IS NULL AND killed_at IS NULL
"""


def ask_for_email(tx: WriteTx, account_id: str, email: str, now: Moment) -> None:
    """Note the address the person wants; the one in force stays until `agree_to_email`. Raises Invalid, NotFound.

    Codes of an earlier request end: a mailbox agrees to the address it was told of and to no other.
    """
    get_account(tx, account_id)
    tx.execute(_END_EARLIER, id=account_id, now=now.text)
    ask = "UPDATE accounts SET new_email = :email, new_email_agreed = NULL, updated_at = :now WHERE id = :id"
    tx.execute(ask, id=account_id, email=normalise_email(email), now=now.text)


def agree_to_email(tx: WriteTx, account: Account, mailbox: str, now: Moment) -> Account:
    """The account after one of its two mailboxes (`old` or `new`) agreed; with both, under its new address.

    An old address that was never confirmed is not asked. Raises Conflict `already_registered` when somebody else has
    the address by now.
    """
    if account.new_email is None:
        raise Conflict("no change of address is under way; ask for it again", code="code_expired")
    others = {"old": "new", "new": "old"}
    if account.email_confirmed_at is not None and account.new_email_agreed != others[mailbox]:
        agree = "UPDATE accounts SET new_email_agreed = :mailbox WHERE id = :id"
        tx.execute(agree, id=account.id, mailbox=mailbox)
        return get_account(tx, account.id)
    return replace_email(tx, account.id, account.new_email, now)


def replace_email(tx: WriteTx, account_id: str, email: str, now: Moment) -> Account:
    """The account under another address, which counts as confirmed. Raises Conflict `already_registered`."""
    holder = find_account_by_email(tx, email)
    if holder is not None and holder.id != account_id:
        raise Conflict("an account with this address exists", code="already_registered", field="email")
    replace = """
    UPDATE accounts SET email = :email, new_email = NULL, new_email_agreed = NULL, email_confirmed_at = :now,
           updated_at = :now
     WHERE id = :id
    """
    tx.execute(replace, id=account_id, email=normalise_email(email), now=now.text)
    return get_account(tx, account_id)


def disable_account(tx: WriteTx, account_id: str, now: Moment) -> None:
    """Refuse this account from now on and end its sessions in every vault; twice is once. Raises NotFound."""
    get_account(tx, account_id)
    tx.execute(
        "UPDATE accounts SET disabled_at = :now WHERE id = :id AND disabled_at IS NULL", id=account_id, now=now.text
    )
    revoke_all_sessions(tx, account_id, "account_disabled", now)


def enable_account(tx: WriteTx, account_id: str) -> None:
    """Let a disabled or banned account sign in again; its ended sessions stay ended. Raises NotFound."""
    get_account(tx, account_id)
    tx.execute("UPDATE accounts SET disabled_at = NULL, banned_until = NULL WHERE id = :id", id=account_id)


def ban_account(tx: WriteTx, account_id: str, seconds: int, now: Moment) -> None:
    """Refuse the account for so many seconds from now and end its sessions in every vault. Raises NotFound."""
    get_account(tx, account_id)
    ban = "UPDATE accounts SET banned_until = :until WHERE id = :id"
    tx.execute(ban, id=account_id, until=now.later(seconds=seconds))
    revoke_all_sessions(tx, account_id, "account_disabled", now)


def delete_account(tx: WriteTx, account_id: str) -> None:
    """Remove the account with its sessions, factors and identities in every vault. Raises NotFound."""
    get_account(tx, account_id)
    tx.execute("DELETE FROM email_codes WHERE account_id = :id", id=account_id)
    tx.execute("DELETE FROM accounts WHERE id = :id", id=account_id)
