"""Users and the roles they hold, as several verbs need them. Knows rows; judges no caller."""

from db.clock import Moment
from db.errors import Conflict, NotAuthenticated, NotFound
from db.principal import Principal
from db.transaction import ReadTx, WriteTx


def require_sign_in(principal: Principal) -> None:
    """Raise NotAuthenticated for a guest: what is one's own belongs to somebody."""
    if principal.kind == "guest":
        raise NotAuthenticated("sign in first: a guest has nothing of the own")


_ADD = """
INSERT INTO users (id, email, email_hash, email_verified, name, created_at, updated_at)
VALUES (:id, personal_seal('users.email', :email), personal_lookup(:email), :verified, :name, :now, :now)
"""


def add_user(tx: WriteTx, *, email: str, name: str | None, verified: bool, now: Moment) -> str:
    """The id of a new user. email: normalised. Raises Conflict `email_taken`, for a deleted user's address too."""
    if user_with(tx, email) is not None:
        raise Conflict("email: this address belongs to a user already", code="email_taken", field="email")
    user_id = now.new_id()
    tx.execute(_ADD, id=user_id, email=email, verified=now.text if verified else None, name=name, now=now.text)
    return user_id


def user_with(tx: ReadTx, email: str) -> str | None:
    """The id of the user with this normalised address, deleted or not."""
    found: str | None = tx.value("SELECT id FROM users WHERE email_hash = personal_lookup(:email)", email=email)
    return found


def require_user(tx: ReadTx, user_id: str) -> None:
    """Raise NotFound unless the user exists and is not deleted."""
    if tx.value("SELECT 1 FROM users WHERE id = :id AND deleted_at IS NULL", id=user_id) is None:
        raise NotFound(f"user {user_id}: unknown", field="user_id")


_GRANT = """
INSERT INTO user_roles (id, user_id, role_id, assigned_at, assigned_by, expires_at)
SELECT :id, :user_id, r.id, :now, :assigned_by, :expires_at FROM roles AS r WHERE r.name = :role
    ON CONFLICT (user_id, role_id) DO UPDATE
   SET assigned_at = excluded.assigned_at, assigned_by = excluded.assigned_by, expires_at = excluded.expires_at
 WHERE user_roles.expires_at <= :now
"""


def grant_role(
    tx: WriteTx, user_id: str, role: str, *, assigned_by: str | None, now: Moment, expires_at: str | None = None
) -> bool:
    """Give the user the role, or renew one that expired; False when it is held and counts."""
    return bool(
        tx.execute(
            _GRANT,
            id=now.new_id(),
            user_id=user_id,
            role=role,
            now=now.text,
            assigned_by=assigned_by,
            expires_at=expires_at,
        )
    )


_TAKE = """
DELETE FROM user_roles WHERE user_id = :user_id AND role_id = (SELECT id FROM roles WHERE name = :role)
"""


def take_role(tx: WriteTx, user_id: str, role: str) -> bool:
    """Take the role away; whether it was held."""
    return bool(tx.execute(_TAKE, user_id=user_id, role=role))


_ANOTHER_SUPER_ADMIN = """
SELECT 1 FROM held_roles AS held JOIN users AS u ON u.id = held.user_id
 WHERE held.type = 'SUPER_ADMIN' AND u.deleted_at IS NULL AND u.id <> :user_id
"""
_IS_SUPER_ADMIN = "SELECT 1 FROM held_roles WHERE user_id = :user_id AND type = 'SUPER_ADMIN'"


def refuse_last_super_admin(tx: ReadTx, user_id: str) -> None:
    """Raise Conflict `last_super_admin` when without this user nobody could run the installation."""
    if tx.value(_IS_SUPER_ADMIN, user_id=user_id) is None:
        return
    if tx.value(_ANOTHER_SUPER_ADMIN, user_id=user_id) is None:
        raise Conflict(
            "this is the last super administrator; give somebody else the role first", code="last_super_admin"
        )
