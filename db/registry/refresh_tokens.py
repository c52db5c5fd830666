"""Sessions and the refresh tokens that keep them: issue, rotate, revoke, detect reuse. Knows hashes; stores no token.

A session is the family of the tokens that descend from one sign-in, and has exactly one token in force. Rotating
replaces it. A successor is derived (HMAC under the platform's secret, over its own random id and the token it
replaces), so that a client whose answer was lost, or a second tab, gets the very same successor when it asks again
within 10 seconds, although only hashes are stored. After that, or once the successor was used, the old token is
evidence of theft: two parties hold one family. All of it is revoked and the reason recorded.
"""

import hmac
from dataclasses import dataclass, field
from typing import Literal, LiteralString

from db.clock import Moment, timestamp_ms
from db.errors import Forbidden, NotAuthenticated
from db.keyring import KeyRing, encode_base64url, random_token, token_digest
from db.registry.refusal import Refused
from db.transaction import ReadTx, Row, WriteTx

REFRESH_PREFIX = "vlr_"
TOKEN_SECONDS = 30 * 86400
SESSION_SECONDS = 90 * 86400
RETRY_SECONDS = 10

SignOutScope = Literal["local", "others", "global"]
RevokeReason = Literal["signed_out", "reuse", "password_changed", "account_disabled"]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A session with its refresh token in force; the token is shown here and nowhere else."""

    session_id: str
    account_id: str
    email: str
    vault_id: str
    refresh_token: str = field(repr=False)
    expires_at: str


_PERSON = "SELECT email FROM accounts WHERE id = :id AND disabled_at IS NULL"


def start_session(tx: WriteTx, account_id: str, vault_id: str, now: Moment) -> Refreshed:
    """A new session of the account in one vault, at most 90 days long. Raises Forbidden `account_disabled`."""
    email = tx.value(_PERSON, id=account_id)
    if email is None:
        raise Forbidden("this account is disabled or gone; ask the operator of the platform", code="account_disabled")
    session_id, token = now.new_id(), random_token(REFRESH_PREFIX, now)
    ends = now.later(seconds=SESSION_SECONDS)
    tx.insert("sessions", id=session_id, account_id=account_id, vault_id=vault_id, created_at=now.text, expires_at=ends)
    expires_at = _store(tx, now.new_id(), session_id, token, None, ends, now)
    return Refreshed(session_id, account_id, email, vault_id, token, expires_at)


_PRESENTED = """
SELECT t.id, t.session_id, t.token_hash, t.expires_at, t.rotated_at, s.account_id, s.vault_id, s.revoked_at,
       s.expires_at AS session_expires_at, a.email, a.disabled_at,
       child.id AS child_id, child.expires_at AS child_expires_at, child.rotated_at AS child_rotated_at
  FROM refresh_tokens AS t
  JOIN sessions AS s ON s.id = t.session_id
  JOIN accounts AS a ON a.id = s.account_id
  LEFT JOIN refresh_tokens AS child ON child.parent_id = t.id
 WHERE t.token_hash = :token_hash
"""


def rotate_refresh_token(tx: WriteTx, ring: KeyRing, token: str, vault_id: str, now: Moment) -> Refreshed | Refused:
    """The session with the token's successor, good for 30 days more; commit, then `accepted` the outcome.

    Refused: NotAuthenticated `token_invalid` (unknown, revoked, reused) or `token_expired`, Forbidden
    `wrong_audience` (another vault's) or `account_disabled`.
    """
    digest = token_digest(token)
    row = tx.row(_PRESENTED, token_hash=digest)
    if row is None or not hmac.compare_digest(row["token_hash"], digest) or row["revoked_at"] is not None:
        return Refused(_invalid())
    if row["vault_id"] != vault_id:
        return Refused(Forbidden("this refresh token belongs to another vault; sign in here", code="wrong_audience"))
    if row["disabled_at"] is not None:
        return Refused(Forbidden("this account is disabled; ask the operator", code="account_disabled"))
    if row["rotated_at"] is not None:
        return _answer_again(tx, ring, token, row, now)
    if now.text >= row["expires_at"]:
        return Refused(NotAuthenticated("this refresh token has expired; sign in again", code="token_expired"))
    child_id = now.new_id()
    successor = _successor(ring, token, child_id)
    tx.execute("UPDATE refresh_tokens SET rotated_at = :now WHERE id = :id", id=row["id"], now=now.text)
    expires_at = _store(tx, child_id, row["session_id"], successor, row["id"], row["session_expires_at"], now)
    return _refreshed(row, successor, expires_at)


def _answer_again(tx: WriteTx, ring: KeyRing, token: str, row: Row, now: Moment) -> Refreshed | Refused:
    """The successor once more for a repeat within 10 seconds; otherwise the end of the family."""
    elapsed_ms = now.ms - timestamp_ms(row["rotated_at"])
    unused = row["child_id"] is not None and row["child_rotated_at"] is None
    if unused and elapsed_ms < RETRY_SECONDS * 1000 and now.text < row["child_expires_at"]:
        return _refreshed(row, _successor(ring, token, row["child_id"]), row["child_expires_at"])
    _revoke(tx, "id = :session_id", "reuse", now, session_id=row["session_id"])
    return Refused(_invalid())


def revoke_sessions(
    tx: WriteTx, account_id: str, vault_id: str, session_id: str, scope: SignOutScope, now: Moment
) -> int:
    """Sign out: `local` this session, `others` all but it, `global` all; the number of sessions ended.

    Only sessions of this account in this vault: a token for one vault reaches no other.
    """
    which: LiteralString = "account_id = :account_id AND vault_id = :vault_id"
    if scope == "local":
        which += " AND id = :session_id"
    elif scope == "others":
        which += " AND id <> :session_id"
    return _revoke(tx, which, "signed_out", now, account_id=account_id, vault_id=vault_id, session_id=session_id)


def revoke_all_sessions(
    tx: WriteTx, account_id: str, reason: RevokeReason, now: Moment, *, keep_session_id: str | None = None
) -> int:
    """End the account's sessions in every vault, but for one; the number ended."""
    which = "account_id = :account_id AND id IS NOT :keep"
    return _revoke(tx, which, reason, now, account_id=account_id, keep=keep_session_id)


def session_is_live(tx: ReadTx, session_id: str, now: Moment) -> bool:
    """Whether the session exists, was not revoked and has not ended: what an access token cannot tell."""
    live = "SELECT 1 FROM sessions WHERE id = :id AND revoked_at IS NULL AND expires_at > :now"
    return tx.value(live, id=session_id, now=now.text) is not None


def purge_sessions(tx: WriteTx, now: Moment) -> int:
    """Forget sessions that ended or were revoked, and tokens that expired, more than 30 days ago; sessions removed."""
    then = now.later(seconds=-30 * 86400)
    tx.execute("DELETE FROM refresh_tokens WHERE expires_at < :then", then=then)
    return tx.execute("DELETE FROM sessions WHERE expires_at < :then OR revoked_at < :then", then=then)


def _store(
    tx: WriteTx, token_id: str, session_id: str, token: str, parent_id: str | None, session_ends: str, now: Moment
) -> str:
    """Keep the token's hash; the moment it expires."""
    expires_at = min(now.later(seconds=TOKEN_SECONDS), session_ends)
    tx.insert(
        "refresh_tokens",
        id=token_id,
        session_id=session_id,
        token_hash=token_digest(token),
        parent_id=parent_id,
        created_at=now.text,
        expires_at=expires_at,
    )
    return expires_at


def _revoke(tx: WriteTx, which: LiteralString, reason: RevokeReason, now: Moment, **values: str | None) -> int:
    update: LiteralString = (
        "UPDATE sessions SET revoked_at = :now, revoke_reason = :reason WHERE revoked_at IS NULL AND "
    )
    return tx.execute(update + which, now=now.text, reason=reason, **values)


def _successor(ring: KeyRing, token: str, child_id: str) -> str:
    """The token that replaces this one. Needs the secret, the database and the token: none of them alone tells it."""
    mac = hmac.digest(ring.subkey("refresh token"), f"{child_id} {token}".encode(), "sha256")
    return REFRESH_PREFIX + encode_base64url(mac)


def _refreshed(row: Row, token: str, expires_at: str) -> Refreshed:
    return Refreshed(row["session_id"], row["account_id"], row["email"], row["vault_id"], token, expires_at)


def _invalid() -> NotAuthenticated:
    return NotAuthenticated("this refresh token is not in force; sign in again", code="token_invalid")
