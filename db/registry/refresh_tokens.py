"""Refresh tokens, which keep a session: rotate, detect reuse. Knows hashes; stores no token.

A session is the family of the tokens that descend from one sign-in, and has exactly one token in force. Rotating
replaces it. A successor is derived (HMAC under the platform's secret, over its own random id and the token it
replaces), so that a client whose answer was lost, or a second tab, gets the very same successor when it asks again
within 10 seconds, although only hashes are stored. After that, or once the successor was used, the old token is
evidence of theft: two parties hold one family. All of it is revoked and the reason recorded.
"""

import hmac

from db.clock import Moment, timestamp_ms
from db.errors import Forbidden, NotAuthenticated
from db.keyring import KeyRing, encode_base64url, random_token, token_digest
from db.registry.refusal import Refused
from db.registry.security_alerts import record_alert
from db.registry.sessions import (
    REFRESH_PREFIX,
    Refreshed,
    Session,
    find_live_session,
    read_methods,
    revoke_stolen_session,
    store_refresh_token,
)
from db.transaction import Row, WriteTx

RETRY_SECONDS = 10


_PRESENTED = """
SELECT t.id, t.session_id, t.token_hash, t.expires_at, t.rotated_at, s.account_id, s.vault_id, s.revoked_at,
       s.expires_at AS session_expires_at, s.aal, s.methods, a.email,
       a.disabled_at IS NOT NULL OR coalesce(a.banned_until > :now, 0) AS disabled,
       child.id AS child_id, child.token_hash AS child_hash, child.expires_at AS child_expires_at,
       child.rotated_at AS child_rotated_at
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
    row = tx.row(_PRESENTED, token_hash=digest, now=now.text)
    if row is None or not hmac.compare_digest(row["token_hash"], digest) or row["revoked_at"] is not None:
        return Refused(_invalid())
    if row["vault_id"] != vault_id:
        return Refused(Forbidden("this refresh token belongs to another vault; sign in here", code="wrong_audience"))
    if row["disabled"]:
        return Refused(Forbidden("this account is disabled; ask the operator", code="account_disabled"))
    if row["rotated_at"] is not None:
        return _answer_again(tx, ring, token, row, now)
    if now.text >= row["expires_at"]:
        return Refused(NotAuthenticated("this refresh token has expired; sign in again", code="token_expired"))
    child_id = now.new_id()
    successor = _successor(ring, token, child_id)
    tx.execute("UPDATE refresh_tokens SET rotated_at = :now WHERE id = :id", id=row["id"], now=now.text)
    expires_at = store_refresh_token(
        tx, child_id, row["session_id"], successor, row["id"], row["session_expires_at"], now
    )
    return _refreshed(row, successor, expires_at)


def _answer_again(tx: WriteTx, ring: KeyRing, token: str, row: Row, now: Moment) -> Refreshed | Refused:
    """The successor once more for a repeat within 10 seconds; otherwise the end of the family."""
    elapsed_ms = now.ms - timestamp_ms(row["rotated_at"])
    unused = row["child_id"] is not None and row["child_rotated_at"] is None
    if unused and elapsed_ms < RETRY_SECONDS * 1000 and now.text < row["child_expires_at"]:
        successor = _successor(ring, token, row["child_id"])
        # A second factor brought the session a token that is not derived: whoever showed the factor has it.
        same = hmac.compare_digest(token_digest(successor), row["child_hash"])
        return _refreshed(row, successor, row["child_expires_at"]) if same else Refused(_invalid())
    revoke_stolen_session(tx, row["session_id"], now)
    record_alert(tx, "refresh_token_reused", row["account_id"], row["vault_id"], now)
    return Refused(_invalid())


_HEAD = """
SELECT id, expires_at FROM refresh_tokens WHERE session_id = :session AND rotated_at IS NULL
"""


def renew_session(tx: WriteTx, session: Session, email: str, now: Moment) -> Refreshed:
    """The session with a fresh refresh token in place of the one in force, for a caller who holds its access token.

    Raises NotAuthenticated `session_ended` when no token of it is in force.
    """
    head = tx.row(_HEAD, session=session.id)
    renewed = find_live_session(tx, session.id, now)
    if head is None or renewed is None:
        raise NotAuthenticated("this session has ended; sign in again", code="session_ended")
    token = random_token(REFRESH_PREFIX, now)
    tx.execute("UPDATE refresh_tokens SET rotated_at = :now WHERE id = :id", id=head["id"], now=now.text)
    expires_at = store_refresh_token(tx, now.new_id(), session.id, token, head["id"], renewed.expires_at, now)
    return Refreshed(
        session.id, session.account_id, email, session.vault_id, token, expires_at, renewed.aal, renewed.methods
    )


def _successor(ring: KeyRing, token: str, child_id: str) -> str:
    """The token that replaces this one. Needs the secret, the database and the token: none of them alone tells it."""
    mac = hmac.digest(ring.subkey("refresh token"), f"{child_id} {token}".encode(), "sha256")
    return REFRESH_PREFIX + encode_base64url(mac)


def _refreshed(row: Row, token: str, expires_at: str) -> Refreshed:
    proofs = read_methods(row["methods"])
    return Refreshed(
        row["session_id"], row["account_id"], row["email"], row["vault_id"], token, expires_at, row["aal"], proofs
    )


def _invalid() -> NotAuthenticated:
    return NotAuthenticated("this refresh token is not in force; sign in again", code="token_invalid")
