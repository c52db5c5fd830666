"""Six-digit sign-in codes by mail: throttle, send, verify. Knows addresses and one vault's id; not who is a member.

A code goes out for any address, so that the answer does not tell who belongs here. Figures: 5 minutes, single use,
5 mails to an address in 60 minutes, 5 wrong guesses end every live code of the address. Earlier codes stay valid
beside newer ones.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from db.clock import Moment, timestamp_ms
from db.errors import NotAuthenticated, RateLimited, VaultError
from db.fields import normalise_email
from db.keyring import KeyRing
from db.outbox import enqueue
from db.registry.refusal import Refused
from db.transaction import Row, WriteTx

CODE_DIGITS = 6
CODE_SECONDS = 5 * 60
WINDOW_SECONDS = 60 * 60
MAILS_PER_WINDOW = 5
WRONG_GUESSES = 5
_KEEP_SECONDS = 24 * 3600
_DRAWS = 20


@dataclass(frozen=True, slots=True)
class VerifiedEmail:
    """Somebody reads this mailbox and wants to enter this vault."""

    email: str
    vault_id: str


def request_code(
    tx: WriteTx,
    ring: KeyRing,
    email: str,
    vault_id: str,
    now: Moment,
    *,
    vault_name: str,
    link_for: Callable[[str], str] | None = None,
) -> str:
    """When the new code expires; the mail that carries it is in the outbox of the same transaction.

    link_for: makes of the code an address that signs in by one click. The code itself stands in the mail only, and so
    in the outbox, where it is worthless five minutes later. Raises Invalid, RateLimited with retry_after_s.
    """
    address = normalise_email(email)
    _count_mail(tx, address, now)
    code = _draw(tx, ring, address, vault_id, now)
    expires_at = now.later(seconds=CODE_SECONDS)
    tx.insert(
        "email_codes",
        id=now.new_id(),
        email=address,
        vault_id=vault_id,
        code_hash=_code_hash(ring, address, vault_id, code),
        created_at=now.text,
        expires_at=expires_at,
    )
    link = None if link_for is None else link_for(code)
    enqueue(tx, "mail", {"to": address, **_mail(" ".join(vault_name.split()), code, link)}, now)
    return expires_at


_CANDIDATES = """
SELECT id, code_hash, expires_at, used_at, killed_at FROM email_codes
 WHERE email = :email AND vault_id = :vault_id
 ORDER BY created_at DESC, id DESC
"""


def verify_code(
    tx: WriteTx, ring: KeyRing, email: str, code: str, vault_id: str, now: Moment
) -> VerifiedEmail | Refused:
    """The verified address, its code used up; commit, then `accepted` the outcome.

    Refused with NotAuthenticated: `code_invalid` (no such code for this address and vault; counted as a wrong guess),
    `code_used`, `code_expired`. Raises Invalid for what is no address.
    """
    address = normalise_email(email)
    wanted = _code_hash(ring, address, vault_id, "".join(code.split()))
    rows = tx.rows(_CANDIDATES, email=address, vault_id=vault_id)
    # Every row is compared, so that the time taken does not tell which one was near.
    matches = [row for row in rows if hmac.compare_digest(row["code_hash"], wanted)]
    for row in matches:
        if _is_live(row, now):
            tx.execute("UPDATE email_codes SET used_at = :now WHERE id = :id", id=row["id"], now=now.text)
            return VerifiedEmail(address, vault_id)
    return Refused(_refusal(tx, address, matches, now))


def purge_codes(tx: WriteTx, now: Moment) -> int:
    """Forget codes that expired, and throttle windows that began, more than 24 h ago; the number of codes removed."""
    then = now.later(seconds=-_KEEP_SECONDS)
    tx.execute("DELETE FROM email_rate_limits WHERE window_start < :then", then=then)
    return tx.execute("DELETE FROM email_codes WHERE expires_at < :then", then=then)


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


def _count_mail(tx: WriteTx, address: str, now: Moment) -> None:
    """Count one mail in the address's window. Raises RateLimited for the sixth."""
    window = tx.row("SELECT count, window_start FROM email_rate_limits WHERE email = :email", email=address)
    if window is None:
        tx.insert("email_rate_limits", email=address, count=1, window_start=now.text, updated_at=now.text)
        return
    left_ms = timestamp_ms(window["window_start"]) + WINDOW_SECONDS * 1000 - now.ms
    if left_ms <= 0:
        restart = "UPDATE email_rate_limits SET count = 1, window_start = :now, updated_at = :now WHERE email = :email"
        tx.execute(restart, email=address, now=now.text)
        return
    if window["count"] >= MAILS_PER_WINDOW:
        raise RateLimited(
            f"{MAILS_PER_WINDOW} mails went to this address within the hour, the limit; use the newest or wait",
            retry_after_s=-(-left_ms // 1000),
        )
    counted = "UPDATE email_rate_limits SET count = count + 1, updated_at = :now WHERE email = :email"
    tx.execute(counted, email=address, now=now.text)


def _draw(tx: WriteTx, ring: KeyRing, address: str, vault_id: str, now: Moment) -> str:
    """Six digits that no unused code of the address has."""
    taken = {row["code_hash"] for row in tx.rows(_CANDIDATES, email=address, vault_id=vault_id) if not row["used_at"]}
    for _ in range(_DRAWS):
        # 2**64 is no multiple of a million; the bias is below one in 10**13.
        code = f"{int.from_bytes(now.random_bytes(8), 'big') % 10**CODE_DIGITS:0{CODE_DIGITS}d}"
        if _code_hash(ring, address, vault_id, code) not in taken:
            return code
    raise VaultError(f"{_DRAWS} draws gave only codes in use; the source of randomness is broken")


def _code_hash(ring: KeyRing, address: str, vault_id: str, code: str) -> str:
    """The keyed hash of a code for one address and vault."""
    return ring.mac("email code", "\n".join((vault_id, address, code)))


def _is_live(row: Row, now: Moment) -> bool:
    return row["used_at"] is None and row["killed_at"] is None and now.text < row["expires_at"]


def _mail(vault_name: str, code: str, link: str | None) -> dict[str, str]:
    """Subject and text of the mail."""
    minutes = CODE_SECONDS // 60
    lines = [f"Your code for {vault_name} is {code}.", f"It is valid for {minutes} minutes and works once."]
    if link is not None:
        lines.append(f"Or open this link to sign in:\n{link}")
    lines.append("If you did not ask for it, ignore this message; nobody can sign in without the code.")
    return {"subject": f"{code} is your code for {vault_name}", "text": "\n\n".join(lines) + "\n"}
