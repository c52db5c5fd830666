"""Sessions: one sign-in on one device in one vault, how it came to be, and its end. Knows hashes; stores no token.

A session of another vault that was made from one has its proofs, lives no longer and ends with it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, LiteralString

from db.clock import Moment
from db.errors import Forbidden
from db.keyring import random_token, token_digest
from db.transaction import ReadTx, WriteTx

REFRESH_PREFIX = "vlr_"
TOKEN_SECONDS = 30 * 86400
SESSION_SECONDS = 90 * 86400

SignOutScope = Literal["local", "others", "global"]
RevokeReason = Literal["signed_out", "reuse", "password_changed", "account_disabled"]


@dataclass(frozen=True, slots=True)
class SignInMethod:
    """One proof that a session rests on. name: as clients know it (`password`, `otp`, `totp`). at_s: Unix seconds."""

    name: str
    at_s: int


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A session with its refresh token in force; the token is shown here and nowhere else.

    aal: `aal2` once a second factor was shown. methods: the proofs it rests on, the newest first.
    """

    session_id: str
    account_id: str
    email: str
    vault_id: str
    refresh_token: str = field(repr=False)
    expires_at: str
    aal: str = "aal1"
    methods: tuple[SignInMethod, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """A session without its tokens."""

    id: str
    account_id: str
    vault_id: str
    created_at: str
    expires_at: str
    aal: str
    methods: tuple[SignInMethod, ...]
    parent_id: str | None


_PERSON = """
SELECT email FROM accounts WHERE id = :id AND disabled_at IS NULL AND (banned_until IS NULL OR banned_until <= :now)
"""


def start_session(
    tx: WriteTx, account_id: str, vault_id: str, now: Moment, method: str = "otp", parent: Session | None = None
) -> Refreshed:
    """A new session of the account in one vault, at most 90 days long. Raises Forbidden `account_disabled`.

    method: the proof it begins with. parent: the session of another vault it is made from: it has that one's proofs,
    lives no longer, and ends with it.
    """
    email = tx.value(_PERSON, id=account_id, now=now.text)
    if email is None:
        raise Forbidden("this account is disabled or gone; ask the operator of the platform", code="account_disabled")
    session_id, token = now.new_id(), random_token(REFRESH_PREFIX, now)
    ends = now.later(seconds=SESSION_SECONDS)
    methods: tuple[SignInMethod, ...] = (SignInMethod(method, now.ms // 1000),)
    aal, parent_id = "aal1", None
    if parent is not None:
        methods, aal, parent_id = parent.methods, parent.aal, parent.parent_id or parent.id
        ends = min(ends, parent.expires_at)
    tx.insert(
        "sessions",
        id=session_id,
        account_id=account_id,
        vault_id=vault_id,
        created_at=now.text,
        expires_at=ends,
        aal=aal,
        methods=_methods_json(methods),
        parent_id=parent_id,
    )
    expires_at = store_refresh_token(tx, now.new_id(), session_id, token, None, ends, now)
    return Refreshed(session_id, account_id, email, vault_id, token, expires_at, aal, methods)


def revoke_sessions(
    tx: WriteTx, account_id: str, vault_id: str, session_id: str, scope: SignOutScope, now: Moment
) -> int:
    """Sign out: `local` this session, `others` all but it, `global` all; the number of sessions ended.

    Only sessions of this account in this vault: a token for one vault reaches no other.
    """
    which: LiteralString = "account_id = :account_id AND vault_id = :vault_id"
    if scope == "local":
        which += " AND id = :session_id"
    keep = session_id if scope == "others" else None
    return _revoke(tx, which, "signed_out", now, keep, account_id=account_id, vault_id=vault_id, session_id=session_id)


def revoke_all_sessions(
    tx: WriteTx, account_id: str, reason: RevokeReason, now: Moment, *, keep_session_id: str | None = None
) -> int:
    """End the account's sessions in every vault, but for one; the number ended."""
    return _revoke(tx, "account_id = :account_id", reason, now, keep_session_id, account_id=account_id)


def end_sessions_of_vault(tx: WriteTx, vault_id: str, now: Moment) -> int:
    """Sign everybody out of one vault, which was set back; the number of sessions ended."""
    return _revoke(tx, "vault_id = :vault_id", "signed_out", now, vault_id=vault_id)


_OPEN_HERE = """
SELECT 1 FROM sessions WHERE account_id = :account AND vault_id = :vault AND revoked_at IS NULL AND expires_at > :now
"""


def has_session(tx: ReadTx, account_id: str, vault_id: str, now: Moment) -> bool:
    """Whether the account has a session in the vault that has not ended."""
    return tx.value(_OPEN_HERE, account=account_id, vault=vault_id, now=now.text) is not None


def end_sessions_of_person(tx: WriteTx, account_id: str, vault_id: str, now: Moment) -> int:
    """Sign somebody out of one vault, whose people are no longer hers; the number of sessions ended."""
    which: LiteralString = "account_id = :account_id AND vault_id = :vault_id"
    return _revoke(tx, which, "signed_out", now, account_id=account_id, vault_id=vault_id)


def revoke_stolen_session(tx: WriteTx, session_id: str, now: Moment) -> None:
    """End the session as two parties hold its tokens, and those of other vaults made from it."""
    _revoke(tx, "id = :session_id", "reuse", now, session_id=session_id)


_LIVE = """
SELECT id, account_id, vault_id, created_at, expires_at, aal, methods, parent_id
  FROM sessions WHERE id = :id AND revoked_at IS NULL AND expires_at > :now
"""


def find_live_session(tx: ReadTx, session_id: str, now: Moment) -> Session | None:
    """The session, if it was not revoked and has not ended: what an access token cannot tell. None otherwise."""
    row = tx.row(_LIVE, id=session_id, now=now.text)
    if row is None:
        return None
    return Session(
        row["id"],
        row["account_id"],
        row["vault_id"],
        row["created_at"],
        row["expires_at"],
        row["aal"],
        read_methods(row["methods"]),
        row["parent_id"],
    )


def session_is_live(tx: ReadTx, session_id: str, now: Moment) -> bool:
    """Whether `find_live_session` finds it."""
    return find_live_session(tx, session_id, now) is not None


def raise_session(tx: WriteTx, session: Session, method: str, now: Moment) -> None:
    """Note that a second factor was shown in the session, which is `aal2` from now on."""
    methods = _methods_json((SignInMethod(method, now.ms // 1000), *session.methods))
    tx.execute("UPDATE sessions SET aal = 'aal2', methods = :methods WHERE id = :id", id=session.id, methods=methods)


def lower_sessions(tx: WriteTx, account_id: str) -> None:
    """Take `aal2` back from the account's sessions, as its last second factor is gone."""
    lower = "UPDATE sessions SET aal = 'aal1' WHERE account_id = :id AND aal = 'aal2' AND revoked_at IS NULL"
    tx.execute(lower, id=account_id)


def purge_sessions(tx: WriteTx, now: Moment) -> int:
    """Forget sessions that ended or were revoked, and tokens that expired, more than 30 days ago; sessions removed."""
    then = now.later(seconds=-30 * 86400)
    tx.execute("DELETE FROM refresh_tokens WHERE expires_at < :then", then=then)
    return tx.execute("DELETE FROM sessions WHERE expires_at < :then OR revoked_at < :then", then=then)


def store_refresh_token(
    tx: WriteTx, token_id: str, session_id: str, token: str, parent_id: str | None, session_ends: str, now: Moment
) -> str:
    """Keep the hash of a session's next token; the moment it expires."""
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


def _revoke(
    tx: WriteTx,
    which: LiteralString,
    reason: RevokeReason,
    now: Moment,
    keep_session_id: str | None = None,
    **values: str | None,
) -> int:
    """End the sessions the condition names, and those of other vaults that were made from them; the number ended."""
    update: LiteralString = f"""
    UPDATE sessions SET revoked_at = :now, revoke_reason = :reason
     WHERE revoked_at IS NULL AND id IS NOT :keep AND id IN (
           SELECT id FROM sessions WHERE {which} AND id IS NOT :keep
           UNION ALL
           SELECT child.id FROM sessions AS child
            WHERE child.parent_id IN (SELECT id FROM sessions WHERE {which} AND id IS NOT :keep))
    """
    return tx.execute(update, now=now.text, reason=reason, keep=keep_session_id, **values)


def read_methods(stored: str) -> tuple[SignInMethod, ...]:
    """The proofs as they are stored with a session."""
    return tuple(SignInMethod(known["method"], known["timestamp"]) for known in json.loads(stored))


def _methods_json(methods: Sequence[SignInMethod]) -> str:
    """The proofs as they also stand in access tokens (`amr`)."""
    return json.dumps([{"method": known.name, "timestamp": known.at_s} for known in methods], separators=(",", ":"))
