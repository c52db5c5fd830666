"""Codes and links that come back: taken once, wrong guesses counted. Knows mailboxes; not who is a member.

Five wrong guesses end every live code of the address, whatever they are for.
"""

import hmac
from collections.abc import Collection
from dataclasses import dataclass

from db.clock import Moment
from db.errors import NotAuthenticated
from db.fields import normalise_email
from db.keyring import KeyRing, token_digest
from db.registry.email_codes import CANDIDATES, SIGN_IN, Errand, code_hash, errand_of
from db.registry.refusal import Refused
from db.transaction import Row, WriteTx

WRONG_GUESSES = 5


@dataclass(frozen=True, slots=True)
class VerifiedEmail:
    """Somebody reads this mailbox and wants to enter this vault."""

    email: str
    vault_id: str
    errand: Errand = SIGN_IN


def verify_code(
    tx: WriteTx,
    ring: KeyRing,
    email: str,
    code: str,
    vault_id: str,
    now: Moment,
    purposes: Collection[str] = ("sign_in",),
) -> VerifiedEmail | Refused:
    """The verified address, its code used up; commit, then `accepted` the outcome.

    purposes: what the code may be for; a code for anything else is no code here. Refused with NotAuthenticated:
    `code_invalid` (no such code for this address and vault; counted as a wrong guess), `code_used`, `code_expired`.
    Raises Invalid for what is no address.
    """
    address = normalise_email(email)
    wanted = code_hash(ring, address, vault_id, "".join(code.split()))
    rows = [row for row in tx.rows(CANDIDATES, email=address, vault_id=vault_id) if row["purpose"] in purposes]
    # Every row is compared, so that the time taken does not tell which one was near.
    matches = [row for row in rows if hmac.compare_digest(row["code_hash"], wanted)]
    for row in matches:
        if _is_live(row, now):
            return _use(tx, row, now)
    return Refused(_refusal(tx, address, matches, now))


_BY_TOKEN = "SELECT * FROM email_codes WHERE token_hash = :token_hash"  # noqa: S105 - a statement, no token


def verify_code_token(
    tx: WriteTx, token: str, vault_id: str, now: Moment, purposes: Collection[str] = ("sign_in",)
) -> VerifiedEmail:
    """The verified address of a code that came as a link, used up.

    Raises NotAuthenticated `code_invalid` (unknown, another vault's, for something else), `code_used`, `code_expired`.
    """
    row = tx.row(_BY_TOKEN, token_hash=token_digest(token))
    if row is None or row["vault_id"] != vault_id or row["purpose"] not in purposes or row["killed_at"] is not None:
        raise NotAuthenticated("this link is not valid; ask for a new one", code="code_invalid")
    if row["used_at"] is not None:
        raise NotAuthenticated("this link was used already; ask for a new one", code="code_used")
    if now.text >= row["expires_at"]:
        raise NotAuthenticated("this link has expired; ask for a new one", code="code_expired")
    return _use(tx, row, now)


def _use(tx: WriteTx, row: Row, now: Moment) -> VerifiedEmail:
    tx.execute("UPDATE email_codes SET used_at = :now WHERE id = :id", id=row["id"], now=now.text)
    return VerifiedEmail(row["email"], row["vault_id"], errand_of(row))


def _refusal(tx: WriteTx, address: str, matches: list[Row], now: Moment) -> NotAuthenticated:
    """Why no live code matched; a guess that matched nothing is counted."""
    known = [row for row in matches if row["killed_at"] is None]
    if not known:
        _count_wrong_guess(tx, address, now)
        return NotAuthenticated("this code is not valid for this address; check it or ask for a new one",
                                code="code_invalid")  # fmt: skip
    if known[0]["used_at"] is not None:
        return NotAuthenticated("this code was used already; ask for a new one", code="code_used")
    return NotAuthenticated("this code has expired; ask for a new one", code="code_expired")


_COUNT_GUESS = """
UPDATE email_codes SET attempts = attempts + 1
 WHERE email = :email AND used_at IS NULL AND killed_at IS NULL AND expires_at > :now
RETURNING attempts
"""
_KILL = """
UPDATE email_codes SET killed_at = :now
 WHERE email = :email AND used_at IS NULL AND killed_at IS NULL AND expires_at > :now
"""


def _count_wrong_guess(tx: WriteTx, address: str, now: Moment) -> None:
    """Count against every live code of the address, in all vaults: it is the mailbox that is being attacked."""
    counts = [row["attempts"] for row in tx.rows(_COUNT_GUESS, email=address, now=now.text)]
    if max(counts, default=0) >= WRONG_GUESSES:
        tx.execute(_KILL, email=address, now=now.text)


def _is_live(row: Row, now: Moment) -> bool:
    return row["used_at"] is None and row["killed_at"] is None and now.text < row["expires_at"]
