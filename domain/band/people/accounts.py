"""Users: taken on, listed, deleted for a while or for good. Passwords and sessions are the registry's."""

from typing import Any

from db.clock import Moment
from db.errors import Conflict, NotFound
from db.fields import Email, Field, Flag, Text
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.band.trash import refuse_deleted
from domain.band.users import add_user, refuse_last_super_admin
from domain.charter import Args, Verb

_LIST = """
SELECT u.id, personal_open('users.email', u.email) AS email, u.email_verified, u.name, u.created_at,
       (SELECT id FROM members WHERE user_id = u.id) AS member_id,
       (SELECT group_concat(name, ' ') FROM (
            SELECT r.name FROM held_roles AS held JOIN roles AS r ON r.id = held.role_id
             WHERE held.user_id = u.id ORDER BY r.name)) AS roles
  FROM users AS u WHERE u.deleted_at IS NULL ORDER BY u.name, u.id
"""


def list_users(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Every user with address, member and the roles that count now."""
    return [dict(row) | {"roles": (row["roles"] or "").split()} for row in tx.rows(_LIST)]


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new user's id. The person comes in by proving the address at sign-in. Raises Conflict `email_taken`."""
    return {"id": add_user(tx, email=args["email"], name=args.get("name"), verified=False, now=now)}


_DELETE = "UPDATE users SET deleted_at = :now, updated_at = :now WHERE id = :id"


def delete(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. From now on the user has no right here, whatever session is open; `hard` leaves no row.

    A hard deletion keeps the member's profile and attendance. Raises NotFound, Conflict `own_account`,
    `last_super_admin`, `already_deleted`.
    """
    user = tx.row("SELECT id, deleted_at FROM users WHERE id = :id", id=args["user_id"])
    if user is None:
        raise NotFound(f"user {args['user_id']}: unknown", field="user_id")
    if user["id"] == principal.id:
        raise Conflict("nobody deletes the own account; ask another administrator", code="own_account")
    refuse_last_super_admin(tx, user["id"])
    if args.get("hard"):
        tx.execute("DELETE FROM users WHERE id = :id", id=user["id"])
    else:
        refuse_deleted(user, "user")
        tx.execute(_DELETE, id=user["id"], now=now.text)
    return {"id": user["id"]}


_MANAGE = ("auth.manage",)
_USER: dict[str, Field] = {"user_id": Text(required=True)}

VERBS = (
    Verb("user.list", list_users, False, "Every user with address, member and roles.", _MANAGE),
    Verb(
        "user.create",
        create,
        True,
        "Let somebody sign in here by e-mail address.",
        _MANAGE,
        {"email": Email(required=True), "name": Text()},
    ),
    Verb("user.delete", delete, True, "Take a user's access away.", _MANAGE, {**_USER, "hard": Flag()}),
)
