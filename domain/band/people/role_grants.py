"""Roles given and taken, and what a role allows. Knows the rules; the rows of a user are `users`."""

import re
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Invalid, NotFound
from db.fields import Choice, Field, Instant, ListOf, Text
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.band.permissions import ROLES, SCOPES, split_name
from domain.band.users import grant_role, refuse_last_super_admin, require_sign_in, require_user, take_role
from domain.charter import Args, Verb

_MY_ROLES = """
SELECT r.name, u.expires_at FROM user_roles AS u JOIN roles AS r ON r.id = u.role_id
 WHERE u.user_id = :id AND (u.expires_at IS NULL OR u.expires_at > :now) ORDER BY r.name
"""


def mine(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The caller's roles, and every permission that holds because of them. Raises NotAuthenticated."""
    require_sign_in(principal)
    roles = [dict(row) for row in tx.rows(_MY_ROLES, id=principal.id, now=now.text)]
    return {"roles": roles, "permissions": sorted(principal.permissions)}


def grant(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """User and role. One that expired is renewed. Raises NotFound, Invalid, Conflict `role_already_assigned`."""
    require_user(tx, args["user_id"])
    expires_at: str | None = args.get("expires_at")
    if expires_at is not None and expires_at <= now.text:
        raise Invalid(f"expires_at: {expires_at} is not in the future", field="expires_at")
    given = grant_role(tx, args["user_id"], args["role"], assigned_by=principal.id, now=now, expires_at=expires_at)
    if not given:
        raise Conflict(f"the user holds {args['role']} already", code="role_already_assigned", field="role")
    return {"user_id": args["user_id"], "role": args["role"], "expires_at": expires_at}


def revoke(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """User and role. Raises NotFound unless it is held, Conflict `last_super_admin`."""
    if args["role"] == "SUPER_ADMIN":
        refuse_last_super_admin(tx, args["user_id"])
    if not take_role(tx, args["user_id"], args["role"]):
        raise NotFound(f"the user does not hold {args['role']}", field="role")
    return {"user_id": args["user_id"], "role": args["role"]}


def grant_to_members(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many users were given the role, and the members without a user, who are skipped.

    Raises NotFound for a member, Invalid `no_linked_accounts` when none of them has a user.
    """
    given, skipped, linked = 0, list[str](), 0
    for member_id in dict.fromkeys(args["member_ids"]):
        row = tx.row("SELECT user_id FROM members WHERE id = :id AND deleted_at IS NULL", id=member_id)
        if row is None:
            raise NotFound(f"member {member_id}: unknown", field="member_ids")
        if row["user_id"] is None:
            skipped.append(member_id)
            continue
        linked += 1
        given += grant_role(tx, row["user_id"], args["role"], assigned_by=principal.id, now=now)
    if not linked:
        raise Invalid("none of these members has a user", code="no_linked_accounts", field="member_ids")
    return {"count": given, "skipped": skipped}


_WORDS = re.compile(r"[a-z_]+(\.[a-z_]+){1,2}")


def create_permission(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new permission's id. Raises Invalid for its form, Conflict `name_taken`."""
    name = args["name"]
    if _WORDS.fullmatch(name) is None or ((scope := split_name(name).scope) is not None and scope not in SCOPES):
        raise Invalid(
            f"name: got {name!r}, wanted two words between dots, or three with one of {', '.join(SCOPES)} at the end",
            field="name",
        )
    if tx.value("SELECT 1 FROM permissions WHERE name = :name", name=name) is not None:
        raise Conflict(f"name: there is a permission {name}", code="name_taken", field="name")
    parts, permission_id = split_name(name), now.new_id()
    tx.insert(
        "permissions",
        id=permission_id,
        name=name,
        resource=parts.resource,
        action=parts.action,
        scope=parts.scope,
        description=args.get("description"),
        created_at=now.text,
    )
    return {"id": permission_id}


def allow(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Role and permission. Raises NotFound, Conflict `name_taken` when the role holds it."""
    role_id, permission_id = _ids(tx, args)
    held = "SELECT 1 FROM role_permissions WHERE role_id = :role AND permission_id = :permission"
    if tx.value(held, role=role_id, permission=permission_id) is not None:
        raise Conflict(f"{args['role']} holds {args['permission']} already", code="name_taken", field="permission")
    tx.insert("role_permissions", id=now.new_id(), role_id=role_id, permission_id=permission_id)
    return {"role": args["role"], "permission": args["permission"]}


_DISALLOW = "DELETE FROM role_permissions WHERE role_id = :role AND permission_id = :permission"


def disallow(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Role and permission. Raises NotFound, Conflict `last_super_admin` for what the super administrator holds."""
    role_id, permission_id = _ids(tx, args)
    if args["role"] == "SUPER_ADMIN":
        raise Conflict("nothing is taken from the SUPER_ADMIN role", code="last_super_admin", field="role")
    if not tx.execute(_DISALLOW, role=role_id, permission=permission_id):
        raise NotFound(f"{args['role']} does not hold {args['permission']}", field="permission")
    return {"role": args["role"], "permission": args["permission"]}


def _ids(tx: ReadTx, args: Args) -> tuple[str, str]:
    """The ids of the named role and permission. Raises NotFound."""
    role_id = tx.value("SELECT id FROM roles WHERE name = :name", name=args["role"])
    permission_id = tx.value("SELECT id FROM permissions WHERE name = :name", name=args["permission"])
    if permission_id is None:
        raise NotFound(f"permission {args['permission']}: unknown", field="permission")
    return role_id, permission_id


_MANAGE, _CONFIG = ("auth.manage",), ("system.config",)
_ROLE: dict[str, Field] = {"role": Choice(tuple(ROLES), required=True)}
_HELD: dict[str, Field] = {"user_id": Text(required=True), **_ROLE}
_ALLOWED: dict[str, Field] = {**_ROLE, "permission": Text(required=True)}

VERBS = (
    Verb("me.permissions", mine, False, "One's own roles and permissions."),
    Verb(
        "role.grant",
        grant,
        True,
        "Give a user a role, for a while if wanted.",
        _MANAGE,
        {**_HELD, "expires_at": Instant()},
    ),
    Verb("role.revoke", revoke, True, "Take a role from a user.", _MANAGE, _HELD),
    Verb(
        "role.grant_to_members",
        grant_to_members,
        True,
        "Give the users of several members a role.",
        _MANAGE,
        {"member_ids": ListOf(Text(), required=True, minimum=1), **_ROLE},
    ),
    Verb(
        "permission.create",
        create_permission,
        True,
        "Name a further permission.",
        _CONFIG,
        {"name": Text(required=True), "description": Text(max_characters=500)},
    ),
    Verb("role.allow", allow, True, "Let a role do more.", _CONFIG, _ALLOWED),
    Verb("role.disallow", disallow, True, "Let a role do less.", _CONFIG, _ALLOWED),
)
