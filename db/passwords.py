"""Password hashes: argon2id, with parameters that can be raised later. Knows passwords; not accounts or tables.

Hashing takes some 20 ms and 19 MiB by design: do it before a transaction, never inside one.
"""

import unicodedata
from typing import TYPE_CHECKING

from db.clock import Moment
from db.errors import Invalid

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_CHARACTERS = 8
MAX_CHARACTERS = 1024
_MEMORY_KIB = 19 * 1024
_PASSES = 2
_LANES = 1
_SALT_BYTES = 16
# Of a password nobody knows, by the parameters above: what an unknown account is verified against.
_DUMMY = "$argon2id$v=19$m=19456,t=2,p=1$2Qr8LCtKSPY6IVc8p3oLWQ$yHx43Yh2iKkeT5UUFKPdc18lSad83FmNqLhf2qwnD7g"


def hash_password(password: str, now: Moment) -> str:
    """The argon2id hash in its standard text form. Raises Invalid outside 8 to 1024 characters.

    Characters are counted after NFKC, so that one password typed on two keyboards is one password.
    Source of the parameters: OWASP password storage, argon2id with 19 MiB, 2 passes, 1 lane.
    """
    return _hasher().hash(_normalised(password), salt=now.random_bytes(_SALT_BYTES))


def verify_password(password: str, stored: str | None) -> bool:
    """Whether the password is the one hashed. stored: None for an unknown account or one without a password.

    None takes as long as a wrong password, so the answer's timing does not tell which accounts exist.
    """
    # Imported here: argon2 is only needed to sign in by password, and every cold start would pay for it.
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        matches = _hasher().verify(stored or _DUMMY, _normalised(password))
    except (Invalid, InvalidHashError, VerificationError):
        return False
    return matches and stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made with weaker parameters than today's; hash again after the next sign-in."""
    return _hasher().check_needs_rehash(stored)


def _hasher() -> "PasswordHasher":
    # Imported here: argon2 is only needed to sign in by password, and every cold start would pay for it.
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES, salt_len=_SALT_BYTES)


def _normalised(password: str) -> bytes:
    # The raw length is checked first: NFKC can make eighteen characters of one.
    normal = unicodedata.normalize("NFKC", password) if len(password) <= MAX_CHARACTERS else password
    if not MIN_CHARACTERS <= len(normal) <= MAX_CHARACTERS:
        raise Invalid(
            f"password: got {len(normal)} characters, wanted {MIN_CHARACTERS} to {MAX_CHARACTERS}", field="password"
        )
    try:
        return normal.encode()
    except UnicodeEncodeError as exc:
        raise Invalid("password: holds half a surrogate pair; send complete UTF-8", field="password") from exc
