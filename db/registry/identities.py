"""The same person at outside providers: found, linked, listed, unlinked. Knows subjects; talks to no provider."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Forbidden, Invalid, NotFound
from db.registry.accounts import (
    Account,
    account_of,
    find_account_by_email,
    get_account,
    record_sign_in,
    sign_in_by_mail,
)
from db.transaction import ReadTx, WriteTx


@dataclass(frozen=True, slots=True)
class LinkedIdentity:
    """One subject of one provider that leads to an account. data: what the provider said of the person last."""

    id: str
    account_id: str
    provider: str
    subject: str
    created_at: str
    last_sign_in_at: str | None
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an outside provider says came. email: normalised; '' = it gave none, or calls it unverified."""

    provider: str
    subject: str
    email: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


def sign_in_by_identity(tx: WriteTx, who: Subject, now: Moment) -> tuple[Account, bool]:
    """The account of somebody a provider vouches for, made if there is none; whether it was newly linked to one.

    A verified address leads to the account that has it, as a code to that mailbox would. Raises Forbidden
    `provider_email_needs_verification` for somebody unknown without one, or `account_disabled`.
    """
    known = find_account_by_identity(tx, who.provider, who.subject)
    if known is not None:
        link_identity(tx, known.id, who.provider, who.subject, now, who.data)
        return record_sign_in(tx, known.id, now), False
    if not who.email:
        raise Forbidden(
            f"{who.provider} vouches for no address of yours; verify it there, or sign in by mail and link it here",
            code="provider_email_needs_verification",
        )
    before = find_account_by_email(tx, who.email)
    account = sign_in_by_mail(tx, who.email, now)
    link_identity(tx, account.id, who.provider, who.subject, now, who.data)
    return account, before is not None


def link_identity(
    tx: WriteTx, account_id: str, provider: str, subject: str, now: Moment, data: Mapping[str, Any] | None = None
) -> bool:
    """Let this subject of an outside provider sign in here; whether it is new, as twice is once.

    Raises NotFound, and Conflict `identity_already_exists` when the subject leads to another account.
    """
    get_account(tx, account_id)
    linked = find_account_by_identity(tx, provider, subject)
    if linked is not None and linked.id != account_id:
        raise Conflict(f"this {provider} identity belongs to another account", code="identity_already_exists")
    text = json.dumps(data or {}, separators=(",", ":"))
    if linked is not None:
        seen = (
            "UPDATE identities SET data = :data, last_sign_in_at = :now WHERE provider = :provider AND subject = :sub"
        )
        tx.execute(seen, data=text, now=now.text, provider=provider, sub=subject)
        return False
    tx.insert(
        "identities",
        id=now.new_id(),
        account_id=account_id,
        provider=provider,
        subject=subject,
        data=text,
        created_at=now.text,
        last_sign_in_at=now.text,
    )
    return True


_BY_IDENTITY = """
SELECT accounts.* FROM identities JOIN accounts ON accounts.id = identities.account_id
 WHERE identities.provider = :provider AND identities.subject = :subject
"""


def find_account_by_identity(tx: ReadTx, provider: str, subject: str) -> Account | None:
    """The account this subject of an outside provider leads to, or None."""
    return account_of(tx.row(_BY_IDENTITY, provider=provider, subject=subject))


_OF_ACCOUNT = """
SELECT coalesce(id, provider || ':' || subject) AS id, account_id, provider, subject, created_at, last_sign_in_at, data
  FROM identities WHERE account_id = :id ORDER BY created_at, provider, subject
"""


def list_identities(tx: ReadTx, account_id: str) -> list[LinkedIdentity]:
    """The account's identities at outside providers, the oldest first."""
    rows = tx.rows(_OF_ACCOUNT, id=account_id)
    return [LinkedIdentity(**{**dict(row), "data": json.loads(row["data"])}) for row in rows]


def provided_name(tx: ReadTx, account_id: str) -> str:
    """What the outside provider that vouched for the account last calls the person; '' when none did, or says."""
    known = sorted(list_identities(tx, account_id), key=lambda identity: identity.last_sign_in_at or "")
    return name_in(known[-1].data) if known else ""


def name_in(data: Mapping[str, Any]) -> str:
    """The name among what a provider says of a person, or ''."""
    name = data.get("name")
    return name.strip() if isinstance(name, str) else ""


def unlink_identity(tx: WriteTx, account_id: str, identity_id: str) -> LinkedIdentity:
    """The identity that leads here no more.

    Raises NotFound `identity_not_found`, Invalid `single_identity_not_deletable` for the only way in: an account whose
    address was never confirmed keeps one.
    """
    identities = list_identities(tx, account_id)
    found = next((known for known in identities if known.id == identity_id), None)
    if found is None:
        raise NotFound("no identity with this id is linked to this account", code="identity_not_found")
    if len(identities) == 1 and get_account(tx, account_id).email_confirmed_at is None:
        raise Invalid("this is the only way into the account; add another first", code="single_identity_not_deletable")
    tx.execute(
        "DELETE FROM identities WHERE provider = :provider AND subject = :subject AND account_id = :account",
        provider=found.provider,
        subject=found.subject,
        account=account_id,
    )
    return found
