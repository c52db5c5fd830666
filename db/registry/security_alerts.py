"""Security alerts: what the owner of an account should know of. Knows kinds and moments; mails nobody."""

from dataclasses import dataclass

from db.clock import Moment
from db.transaction import ReadTx, WriteTx

KEPT_SECONDS = 365 * 86400
MOST = 1000
KINDS = {
    "password_changed": "The password was changed.",
    "email_changed": "The address was changed.",
    "factor_added": "A second factor was added.",
    "factor_removed": "A second factor was removed.",
    "factor_guessed": "Wrong codes of the second factor reached the limit.",
    "password_guessed": "Wrong passwords reached the limit.",
    "refresh_token_reused": "A refresh token came back after it was replaced; the session was ended.",
    "identity_linked": "An outside identity was linked.",
    "identity_unlinked": "An outside identity was unlinked.",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One of KINDS. email: of the account. slug: of the vault it happened in; '' = none."""

    id: str
    kind: str
    at: str
    account_id: str
    email: str
    vault_id: str | None
    slug: str


def record_alert(tx: WriteTx, kind: str, account_id: str, vault_id: str | None, now: Moment) -> str:
    """The id of a new alert for the account. kind: one of KINDS."""
    alert_id = now.new_id()
    tx.insert("security_alerts", id=alert_id, account_id=account_id, vault_id=vault_id, kind=kind, at=now.text)
    return alert_id


def withdraw_alert(tx: WriteTx, alert_id: str) -> None:
    """Take back an alert that turned out to be none."""
    tx.execute("DELETE FROM security_alerts WHERE id = :id", id=alert_id)


_ALERTS = """
SELECT s.id, s.kind, s.at, s.account_id, a.email, s.vault_id,
       coalesce((SELECT slug FROM slugs WHERE vault_id = s.vault_id ORDER BY created_at, slug LIMIT 1), '') AS slug
  FROM security_alerts AS s JOIN accounts AS a ON a.id = s.account_id
 WHERE (:account_id IS NULL OR s.account_id = :account_id)
   AND (:vault_id IS NULL OR s.vault_id = :vault_id)
   AND s.at >= :since
 ORDER BY s.at DESC, s.id DESC LIMIT :most
"""


def list_alerts(
    tx: ReadTx, *, account_id: str | None = None, vault_id: str | None = None, since: str = "", most: int = MOST
) -> list[Alert]:
    """The alerts of an account, of a vault or of all, the newest first. since: timestamp."""
    rows = tx.rows(_ALERTS, account_id=account_id, vault_id=vault_id, since=since, most=most)
    return [Alert(**dict(row)) for row in rows]


def purge_alerts(tx: WriteTx, now: Moment) -> int:
    """Forget alerts older than a year; the number removed."""
    return tx.execute("DELETE FROM security_alerts WHERE at < :then", then=now.later(seconds=-KEPT_SECONDS))
