"""People who come in by signing in: invited users become verified, others register themselves while that is open.

The registry has seen the proof of the address by then; a user whose row is deleted stays out.
"""

from db.clock import Moment
from db.errors import Forbidden
from db.transaction import ReadTx, WriteTx
from domain.band.days import MIDNIGHT
from domain.band.settings import setting
from domain.band.users import add_user, grant_role, user_with
from domain.charter import Arrival

_VERIFIED = "SELECT 1 FROM users WHERE id = :id AND (email_verified IS NOT NULL OR deleted_at IS NOT NULL)"
_VERIFY = "UPDATE users SET email_verified = :now, updated_at = :now WHERE id = :id"
# A member has two names; whoever gives one of them has this for the other.
NO_NAME = "-"
_LONGEST_NAME = 100


def expects(tx: ReadTx, email: str) -> bool:
    """Whether the address is of an invited user who has not come yet, or of nobody."""
    user_id = user_with(tx, email)
    return user_id is None or tx.value(_VERIFIED, id=user_id) is None


def enter(tx: WriteTx, email: str, name: str | None, now: Moment) -> None:
    """Note that the user came; somebody new becomes a user and a member. Raises Forbidden `registration_closed`."""
    user_id = user_with(tx, email)
    if user_id is not None:
        if tx.value(_VERIFIED, id=user_id) is None:
            tx.execute(_VERIFY, id=user_id, now=now.text)
        return
    if setting(tx, "allow_public_registration") != "true":
        raise Forbidden("nobody registers here on their own; ask for an invitation", code="registration_closed")
    called = " ".join((name or email.partition("@")[0]).split())
    user_id = add_user(tx, email=email, name=called[: 2 * _LONGEST_NAME], verified=True, now=now)
    first, _, last = called.partition(" ")
    active = setting(tx, "require_approval") == "false"
    tx.insert(
        "members",
        id=now.new_id(),
        user_id=user_id,
        first_name=first[:_LONGEST_NAME],
        last_name=last[:_LONGEST_NAME].strip() or NO_NAME,
        status="ACTIVE" if active else "PENDING",
        join_date=now.text[:10] + MIDNIGHT if active else None,
        created_at=now.text,
        updated_at=now.text,
    )
    if active:
        grant_role(tx, user_id, "MUSICIAN", assigned_by=None, now=now)


ARRIVAL = Arrival(expects, enter)
