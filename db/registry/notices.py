"""Alerts with their mail: what the owner of an account is told of at once. Knows mails' words; sends nothing."""

from db.clock import Moment
from db.outbox import enqueue
from db.registry.accounts import get_account
from db.registry.code_mails import notice_mail
from db.registry.directory import VaultEntry
from db.registry.security_alerts import record_alert
from db.transaction import WriteTx


def alert(tx: WriteTx, kind: str, account_id: str, entry: VaultEntry, now: Moment, *, to: str | None = None) -> None:
    """Record an alert; where its kind is mailed, the mail is in the outbox of the same commit.

    to: another address than the account's, such as the one it had. Raises NotFound for an unknown account.
    """
    record_alert(tx, kind, account_id, entry.id, now)
    mail = notice_mail(kind, " ".join(entry.name.split()))
    if mail is not None:
        enqueue(tx, "mail", {"to": to or get_account(tx, account_id).email, **mail}, now)
