"""Second factors: a secret shared with an authenticator app, and six digits of the time. Source: RFC 6238.

Secrets are sealed under the platform's secret. A code is taken once: the number of its 30 seconds is kept, and that
code and every earlier one is refused from then on. Knows accounts and sessions by id; mails nobody.
"""

import hmac
from base64 import b32encode
from dataclasses import dataclass, field

from db.clock import Moment
from db.errors import Conflict, Invalid, NotFound
from db.keyring import KeyRing
from db.registry.refusal import Refused
from db.transaction import ReadTx, Row, WriteTx

STEP_SECONDS = 30
DIGITS = 6
SECRET_BYTES = 20
CHALLENGE_SECONDS = 5 * 60
MOST_FACTORS = 10
# One step each way, for a clock that is off. Source: RFC 6238, section 5.2.
_STEPS_AROUND = (0, -1, 1)
# A factor that nobody has shown to have is forgotten after it.
_UNVERIFIED_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Factor:
    """A second factor without its secret. verified_at None: the person has not shown a code of it yet."""

    id: str
    account_id: str
    kind: str
    friendly_name: str
    verified_at: str | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class NewFactor:
    """A factor just made. secret: in base32, shown here and nowhere else."""

    factor: Factor
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A question for a code. expires_at_s: Unix seconds."""

    id: str
    factor_id: str
    expires_at_s: int


def enrol_factor(tx: WriteTx, ring: KeyRing, account_id: str, friendly_name: str | None, now: Moment) -> NewFactor:
    """A new factor, worth nothing until a code of it is shown.

    friendly_name: None for one that is free. Raises Conflict `mfa_factor_name_conflict`, Invalid
    `too_many_enrolled_mfa_factors`.
    """
    stale = "DELETE FROM factors WHERE account_id = :id AND verified_at IS NULL AND created_at < :then"
    tx.execute(stale, id=account_id, then=now.later(seconds=-_UNVERIFIED_SECONDS))
    factors = list_factors(tx, account_id)
    if len(factors) >= MOST_FACTORS:
        raise Invalid(f"{MOST_FACTORS} second factors are the limit", code="too_many_enrolled_mfa_factors")
    names = {known.friendly_name for known in factors}
    free = next(name for number in range(1, MOST_FACTORS + 2) if (name := f"Authenticator {number}") not in names)
    if friendly_name in names:
        raise Conflict("a second factor has this name; choose another", code="mfa_factor_name_conflict")
    factor_id, secret = now.new_id(), now.random_bytes(SECRET_BYTES)
    tx.insert(
        "factors",
        id=factor_id,
        account_id=account_id,
        friendly_name=friendly_name or free,
        secret=ring.wrap(secret, _context(factor_id)),
        created_at=now.text,
        updated_at=now.text,
    )
    return NewFactor(get_factor(tx, account_id, factor_id), b32encode(secret).decode())


def list_factors(tx: ReadTx, account_id: str) -> list[Factor]:
    """The account's factors, unverified ones included, the oldest first."""
    rows = tx.rows("SELECT * FROM factors WHERE account_id = :id ORDER BY created_at, id", id=account_id)
    return [_factor(row) for row in rows]


def has_factor(tx: ReadTx, account_id: str) -> bool:
    """Whether the account has a verified second factor."""
    known = "SELECT 1 FROM factors WHERE account_id = :id AND verified_at IS NOT NULL LIMIT 1"
    return tx.value(known, id=account_id) is not None


def get_factor(tx: ReadTx, account_id: str, factor_id: str) -> Factor:
    """The account's factor of that id. Raises NotFound `mfa_factor_not_found`."""
    return _factor(_row(tx, account_id, factor_id))


def remove_factor(tx: WriteTx, account_id: str, factor_id: str) -> Factor:
    """The factor that is gone. Raises NotFound `mfa_factor_not_found`."""
    factor = get_factor(tx, account_id, factor_id)
    tx.execute("DELETE FROM factors WHERE id = :id", id=factor_id)
    return factor


def challenge_factor(tx: WriteTx, account_id: str, factor_id: str, session_id: str, now: Moment) -> Challenge:
    """A question for a code of the factor, good for 5 minutes in this session alone. Raises NotFound."""
    get_factor(tx, account_id, factor_id)
    # An answered or expired question is of no use any more: one session keeps a handful of rows.
    tx.execute("DELETE FROM factor_challenges WHERE session_id = :session AND expires_at <= :now",
               session=session_id, now=now.text)  # fmt: skip
    challenge_id, expires_at = now.new_id(), now.later(seconds=CHALLENGE_SECONDS)
    tx.insert(
        "factor_challenges",
        id=challenge_id,
        factor_id=factor_id,
        session_id=session_id,
        created_at=now.text,
        expires_at=expires_at,
    )
    return Challenge(challenge_id, factor_id, now.ms // 1000 + CHALLENGE_SECONDS)


_ASKED = """
SELECT expires_at, answered_at FROM factor_challenges
 WHERE id = :id AND factor_id = :factor AND session_id = :session
"""


def answer_challenge(
    tx: WriteTx,
    ring: KeyRing,
    account_id: str,
    factor_id: str,
    challenge_id: str,
    session_id: str,
    code: str,
    now: Moment,
) -> Factor | Refused:
    """The factor, verified from now on if it was not; commit, then `accepted` the outcome.

    Refused with Invalid `mfa_challenge_expired` (unknown, answered, too late) or `mfa_verification_failed` (a wrong
    code, or one that was taken already). Raises NotFound `mfa_factor_not_found`.
    """
    row = _row(tx, account_id, factor_id)
    asked = tx.row(_ASKED, id=challenge_id, factor=factor_id, session=session_id)
    if asked is None or asked["answered_at"] is not None or now.text >= asked["expires_at"]:
        return Refused(Invalid("this challenge is over; ask for a new one", code="mfa_challenge_expired"))
    secret = ring.unwrap(row["secret"], _context(factor_id))
    step = matching_step(secret, code, now.ms // 1000, row["last_step"])
    if step is None:
        return Refused(Invalid("this code is not valid, or was used already", code="mfa_verification_failed"))
    tx.execute("UPDATE factor_challenges SET answered_at = :now WHERE id = :id", id=challenge_id, now=now.text)
    take = """
    UPDATE factors SET last_step = :step, verified_at = coalesce(verified_at, :now), updated_at = :now WHERE id = :id
    """
    tx.execute(take, id=factor_id, step=step, now=now.text)
    return _factor(row)


def matching_step(secret: bytes, code: str, at_s: int, last_step: int, digits: int = DIGITS) -> int | None:
    """The number of the 30 seconds this code stands for, within one of now and after last_step; None for none."""
    given = "".join(code.split())
    now_step = at_s // STEP_SECONDS
    found: int | None = None
    # Every step is compared, so that the time taken does not tell which one was near.
    for step in (now_step + around for around in _STEPS_AROUND):
        if step > last_step and step >= 0 and hmac.compare_digest(_code(secret, step, digits).encode(), given.encode()):
            found = step
    return found


def provisioning_uri(secret: str, account: str, issuer: str) -> str:
    """The `otpauth://` address that authenticator apps read. secret: in base32."""
    from pyotp.totp import TOTP  # here: only who enrols or answers needs it

    return TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def purge_challenges(tx: WriteTx, now: Moment) -> int:
    """Forget challenges that are over; the number removed."""
    return tx.execute("DELETE FROM factor_challenges WHERE expires_at <= :now", now=now.text)


def _code(secret: bytes, step: int, digits: int) -> str:
    """The digits of a step."""
    from pyotp.hotp import HOTP  # as above

    return HOTP(b32encode(secret).decode(), digits=digits).at(step)


def _row(tx: ReadTx, account_id: str, factor_id: str) -> Row:
    row = tx.row("SELECT * FROM factors WHERE id = :id AND account_id = :account", id=factor_id, account=account_id)
    if row is None:
        raise NotFound("no second factor with this id", code="mfa_factor_not_found")
    return row


def _factor(row: Row) -> Factor:
    return Factor(
        row["id"],
        row["account_id"],
        row["kind"],
        row["friendly_name"],
        row["verified_at"],
        row["created_at"],
        row["updated_at"],
    )


def _context(factor_id: str) -> str:
    return f"factors.{factor_id}"
