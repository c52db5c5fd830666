"""Six-digit codes by mail, and the links that carry them: issue and throttle. Knows no member of any vault.

A code goes out for any address, so that the answer does not tell who belongs here. Figures: 5 minutes to sign in,
longer for errands that people come back to, single use, 5 mails to an address in 60 minutes, 5 wrong guesses end every
live code of the address. Earlier codes stay valid beside newer ones.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from db.clock import Moment, timestamp_ms
from db.errors import RateLimited, VaultError
from db.fields import normalise_email
from db.keyring import KeyRing, random_token, token_digest
from db.outbox import enqueue
from db.registry.code_mails import code_mail
from db.transaction import ReadTx, Row, WriteTx

CODE_DIGITS = 6
CODE_SECONDS = 5 * 60
LIFE_SECONDS = {
    "sign_in": CODE_SECONDS,
    "reauthentication": CODE_SECONDS,
    "sign_up": 3600,
    "recovery": 3600,
    "email_change": 3600,
    "invite": 24 * 3600,
}
WINDOW_SECONDS = 60 * 60
MAILS_PER_WINDOW = 5
CODE_TOKEN_PREFIX = "vlm_"  # noqa: S105 - the prefix of a kind of token, no token
_KEEP_SECONDS = 24 * 3600
_DRAWS = 20


@dataclass(frozen=True, slots=True)
class Errand:
    """What a code is for, beside proving the mailbox.

    purpose: a key of LIFE_SECONDS. account_id: the account it is bound to; of a sign-up, the id the account will have.
    password_hash, user_metadata: what a sign-up sets. code_challenge: PKCE, of the client that asked.
    """

    purpose: str = "sign_in"
    account_id: str | None = None
    password_hash: str | None = field(default=None, repr=False)
    user_metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    code_challenge: str | None = None


SIGN_IN = Errand()


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A new code, shown here and in the mail only. token: the same as a link; '' = none was asked for."""

    code: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: str


def request_code(
    tx: WriteTx,
    ring: KeyRing,
    email: str,
    vault_id: str,
    now: Moment,
    *,
    vault_name: str,
    link_for: Callable[[str], str] | None = None,
    errand: Errand = SIGN_IN,
    about: str = "",
) -> str:
    """When the new code expires; the mail that carries it is in the outbox of the same transaction.

    about: a sentence of the mail on what exactly is confirmed.
    link_for: makes of the code an address that does the errand by one click. The code itself stands in the mail only,
    and so in the outbox, where it is worthless when it has expired. Raises Invalid, RateLimited with retry_after_s.
    """
    address = normalise_email(email)
    count_mail(tx, address, now)
    issued = issue_code(tx, ring, address, vault_id, now, errand=errand)
    link = None if link_for is None else link_for(issued.code)
    minutes = LIFE_SECONDS[errand.purpose] // 60
    mail = code_mail(errand.purpose, " ".join(vault_name.split()), issued.code, link, minutes, about)
    enqueue(tx, "mail", {"to": address, **mail}, now)
    return issued.expires_at


def issue_code(
    tx: WriteTx,
    ring: KeyRing,
    email: str,
    vault_id: str,
    now: Moment,
    *,
    errand: Errand = SIGN_IN,
    with_token: bool = False,
) -> IssuedCode:
    """A new code, for a caller who brings it to the mailbox by itself. with_token: as a link too. Raises Invalid."""
    address = normalise_email(email)
    code = _draw(tx, ring, address, vault_id, now)
    token = random_token(CODE_TOKEN_PREFIX, now) if with_token else ""
    expires_at = now.later(seconds=LIFE_SECONDS[errand.purpose])
    tx.insert(
        "email_codes",
        id=now.new_id(),
        email=address,
        vault_id=vault_id,
        code_hash=code_hash(ring, address, vault_id, code),
        token_hash=token_digest(token) if token else None,
        purpose=errand.purpose,
        account_id=errand.account_id,
        password_hash=errand.password_hash,
        user_metadata=json.dumps(errand.user_metadata, separators=(",", ":")) if errand.user_metadata else None,
        code_challenge=errand.code_challenge,
        created_at=now.text,
        expires_at=expires_at,
    )
    return IssuedCode(code, token, expires_at)


CANDIDATES = """
SELECT id, code_hash, expires_at, used_at, killed_at, email, vault_id,
       purpose, account_id, password_hash, user_metadata, code_challenge
  FROM email_codes
 WHERE email = :email AND vault_id = :vault_id
 ORDER BY created_at DESC, id DESC
"""


_PENDING = """
SELECT * FROM email_codes
 WHERE email = :email AND vault_id = :vault_id AND purpose = :purpose AND used_at IS NULL AND killed_at IS NULL
   AND created_at > :after
 ORDER BY created_at DESC, id DESC LIMIT 1
"""


def pending_errand(tx: ReadTx, email: str, vault_id: str, purpose: str, now: Moment) -> Errand | None:
    """The newest errand of the address in the vault that nobody has completed, a day old at most, or None."""
    after = now.later(seconds=-_KEEP_SECONDS)
    row = tx.row(_PENDING, email=normalise_email(email), vault_id=vault_id, purpose=purpose, after=after)
    return None if row is None else errand_of(row)


_DROP = """
UPDATE email_codes SET password_hash = NULL
 WHERE email = :email AND vault_id = :vault_id AND purpose = 'sign_up' AND used_at IS NULL AND killed_at IS NULL
"""


def drop_pending_passwords(tx: WriteTx, email: str, vault_id: str) -> None:
    """Forget the passwords of sign-ups under way: two people chose one for the same address, and one is a stranger."""
    tx.execute(_DROP, email=normalise_email(email), vault_id=vault_id)


def purge_codes(tx: WriteTx, now: Moment) -> int:
    """Forget codes that expired, and throttle windows that began, more than 24 h ago; the number of codes removed."""
    then = now.later(seconds=-_KEEP_SECONDS)
    tx.execute("DELETE FROM email_rate_limits WHERE window_start < :then", then=then)
    return tx.execute("DELETE FROM email_codes WHERE expires_at < :then", then=then)


def errand_of(row: Row) -> Errand:
    """What the code of a row of the table is for."""
    metadata: dict[str, Any] = json.loads(row["user_metadata"] or "{}")
    return Errand(row["purpose"], row["account_id"], row["password_hash"], metadata, row["code_challenge"])


def count_mail(tx: WriteTx, address: str, now: Moment) -> None:
    """Count one mail in the address's window. address: normalised. Raises RateLimited for the sixth."""
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
    taken = {row["code_hash"] for row in tx.rows(CANDIDATES, email=address, vault_id=vault_id) if not row["used_at"]}
    for _ in range(_DRAWS):
        # 2**64 is no multiple of a million; the bias is below one in 10**13.
        code = f"{int.from_bytes(now.random_bytes(8), 'big') % 10**CODE_DIGITS:0{CODE_DIGITS}d}"
        if code_hash(ring, address, vault_id, code) not in taken:
            return code
    raise VaultError(f"{_DRAWS} draws gave only codes in use; the source of randomness is broken")


def code_hash(ring: KeyRing, address: str, vault_id: str, code: str) -> str:
    """The keyed hash of a code for one address and vault."""
    return ring.mac("email code", "\n".join((vault_id, address, code)))
