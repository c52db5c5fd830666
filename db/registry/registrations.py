"""Vaults that are opened on request: asked for, proven by a code to the owner's mailbox, entered. Makes no vault.

Nobody has the wanted name before the vault is in the directory, which is one commit: of two who ask for a name the
first to come back with a code gets it. Whoever is interrupted after the code was taken comes back with the same code,
within the hour: a new vault is begun, or the one that did enter is answered again.
"""

import hmac
from dataclasses import dataclass

from db.clock import Moment
from db.errors import NotAuthenticated, Unavailable, VaultError
from db.fields import normalise_email
from db.keyring import KeyRing
from db.outbox import enqueue
from db.registry.code_mails import code_mail
from db.registry.code_proofs import WRONG_GUESSES
from db.registry.email_codes import CODE_DIGITS, CODE_SECONDS, count_mail
from db.registry.refusal import Refused
from db.registry.scratch_vaults import list_scratch, scratch_lists, strike_scratch
from db.transaction import Row, WriteTx

# Who came back with the code in time may repeat it for so long since it was sent.
REPEAT_SECONDS = 3600
_KEEP_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to open. slug, email: normalised."""

    charter: str
    slug: str
    email: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A registration whose code came back. entered: the vault is in the directory already."""

    id: str
    vault_id: str
    entered: bool


def ask_registration(tx: WriteTx, ring: KeyRing, wanted: Wanted, now: Moment) -> str:
    """When the code expires; the mail with it is in the outbox. Raises Invalid, RateLimited with retry_after_s."""
    count_mail(tx, normalise_email(wanted.email), now)
    # 2**64 is no multiple of a million; the bias is below one in 10**13.
    code = f"{int.from_bytes(now.random_bytes(8), 'big') % 10**CODE_DIGITS:0{CODE_DIGITS}d}"
    expires_at = now.later(seconds=CODE_SECONDS)
    tx.insert(
        "registrations",
        id=now.new_id(),
        charter=wanted.charter,
        slug=wanted.slug,
        owner_hash=_owner_hash(ring, wanted),
        code_hash=_code_hash(ring, wanted, code),
        created_at=now.text,
        expires_at=expires_at,
    )
    # Only what has the form of a name goes into the mail: anything else would be a stranger's letter under our own.
    mail = code_mail("registration", wanted.slug, code, None, CODE_SECONDS // 60)
    enqueue(tx, "mail", {"to": wanted.email, **mail}, now)
    return expires_at


_CANDIDATES = """
SELECT * FROM registrations WHERE owner_hash = :owner AND slug = :slug AND charter = :charter
 ORDER BY created_at DESC, id DESC
"""
_BEGIN = "UPDATE registrations SET vault_id = :vault WHERE id = :id"


def take_registration(tx: WriteTx, ring: KeyRing, wanted: Wanted, code: str, now: Moment) -> Taken | Refused:
    """The registration that the code is for, with the vault to make; commit, then `accepted` the outcome.

    The vault is listed as scratch, so that one that is never finished is removed. Refused with NotAuthenticated
    `code_invalid` (counted as a wrong guess) or `code_expired`.
    """
    owner, given = _owner_hash(ring, wanted), _code_hash(ring, wanted, "".join(code.split()))
    rows = tx.rows(_CANDIDATES, owner=owner, slug=wanted.slug, charter=wanted.charter)
    found = [row for row in rows if hmac.compare_digest(row["code_hash"], given) and row["attempts"] < WRONG_GUESSES]
    if not found:
        _count_wrong_guess(tx, owner, now)
        return Refused(_invalid())
    row = found[0]
    if row["entered_at"] is not None and _may_repeat(row, now):
        return Taken(row["id"], row["vault_id"], entered=True)
    if now.text >= row["expires_at"] and not (row["vault_id"] and _may_repeat(row, now)):
        return Refused(NotAuthenticated("this code has expired; ask for a new one", code="code_expired"))
    vault_id = now.new_id()
    tx.execute(_BEGIN, id=row["id"], vault=vault_id)
    list_scratch(tx, row["id"], "provisioning", [vault_id], now)
    return Taken(row["id"], vault_id, entered=False)


_ENTER = "UPDATE registrations SET entered_at = :now WHERE id = :id AND vault_id = :vault AND entered_at IS NULL"


def enter_registration(tx: WriteTx, taken: Taken, now: Moment) -> None:
    """Note that the vault enters the directory, in the commit in which it does.

    Raises Unavailable when another attempt with the same code has begun, or this one took longer than an hour.
    """
    if not scratch_lists(tx, taken.vault_id) or not tx.execute(_ENTER, id=taken.id, vault=taken.vault_id, now=now.text):
        raise Unavailable("this was begun again meanwhile; send the code once more", code="contended", retry_after_s=1)
    strike_scratch(tx, [taken.vault_id])


def purge_registrations(tx: WriteTx, now: Moment) -> int:
    """Forget registrations whose code expired more than 24 h ago; how many."""
    old = "DELETE FROM registrations WHERE expires_at < :then"
    return tx.execute(old, then=now.later(seconds=-_KEEP_SECONDS))


_COUNT_GUESS = """
UPDATE registrations SET attempts = attempts + 1
 WHERE owner_hash = :owner AND expires_at > :now AND attempts < :most
"""


def _count_wrong_guess(tx: WriteTx, owner: str, now: Moment) -> None:
    """Count against every live code of the address, whatever it is to open."""
    tx.execute(_COUNT_GUESS, owner=owner, now=now.text, most=WRONG_GUESSES)


def _may_repeat(row: Row, now: Moment) -> bool:
    return bool(row["created_at"] > now.later(seconds=-REPEAT_SECONDS))


def _invalid() -> VaultError:
    return NotAuthenticated("this code is not valid for this; check it or ask for a new one", code="code_invalid")


def _owner_hash(ring: KeyRing, wanted: Wanted) -> str:
    return ring.mac("owner of a registration", normalise_email(wanted.email))


def _code_hash(ring: KeyRing, wanted: Wanted, code: str) -> str:
    return ring.mac("registration code", "\n".join((wanted.charter, wanted.slug, normalise_email(wanted.email), code)))
