"""Roles: granting, revoking, and the owner an organization must keep. Knows member_roles; not how people join."""

from collections.abc import Collection
from typing import Any

from db.clock import Moment
from db.errors import Forbidden, Invalid
from db.fields import Choice, Field, Text
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.charter import Args, Verb
from domain.choir.membership import member_here
from domain.choir.permissions import ROLES, UMBRELLA_ROLES
from domain.errors import LastOwner


def leaves_no_owner(registered_owners: Collection[str], member_id: str) -> bool:
    """Whether the organization would have no owner able to sign in, were this member none any more.

    registered_owners: ids of the owners who can sign in. A roster-only owner is not among them and may always go.
    """
    return set(registered_owners) == {member_id}


def refuse_last_owner(tx: ReadTx, org_id: str, member_id: str) -> None:
    """Raise LastOwner when the organization's only registered owner is this member."""
    owners = tx.rows("SELECT member_id FROM registered_owners WHERE org_id = :org_id", org_id=org_id)
    if leaves_no_owner([row[0] for row in owners], member_id):
        raise LastOwner(
            "this is the organization's last registered owner", hint="grant owner to another registered member first"
        )


def require_owner_for(principal: Principal, roles: Collection[str]) -> None:
    """Raise Forbidden when `owner` is among the roles and the caller is no owner."""
    if "owner" in roles and not principal.may("owner"):
        raise Forbidden("the role owner is granted and removed by owners only")


_GRANT = """
INSERT INTO member_roles (member_id, org_id, role, granted_at, granted_by)
VALUES (:member_id, :org_id, :role, :granted_at, :granted_by)
    ON CONFLICT DO NOTHING
"""


def give_roles(
    tx: WriteTx, org_id: str, member_id: str, roles: Collection[str], granted_by: str | None, now: Moment
) -> int:
    """How many of the roles were new; held ones keep their `granted_at`.

    Raises Invalid for a role that an umbrella does not know.
    """
    kind = tx.value("SELECT type FROM organizations WHERE id = :org_id", org_id=org_id)
    for role in roles:
        if kind == "umbrella" and role not in UMBRELLA_ROLES:
            raise Invalid(f"role: got {role}, an umbrella grants {' and '.join(UMBRELLA_ROLES)} only", field="role")
    return sum(
        tx.execute(_GRANT, member_id=member_id, org_id=org_id, role=role, granted_at=now.text, granted_by=granted_by)
        for role in roles
    )


def grant(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Member, role and whether anything changed. Raises Forbidden, NotFound, Invalid."""
    member_id, role = args["member_id"], args["role"]
    require_owner_for(principal, [role])
    member_here(tx, principal.scope, member_id)
    added = give_roles(tx, principal.scope, member_id, [role], principal.id, now)
    return {"member_id": member_id, "role": role, "changed": bool(added)}


_REVOKE = "DELETE FROM member_roles WHERE member_id = :member_id AND org_id = :org_id AND role = :role"


def revoke(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Member, role and whether anything changed. Raises Forbidden, NotFound, LastOwner."""
    member_id, role = args["member_id"], args["role"]
    require_owner_for(principal, [role])
    member_here(tx, principal.scope, member_id)
    if role == "owner":
        refuse_last_owner(tx, principal.scope, member_id)
    removed = tx.execute(_REVOKE, member_id=member_id, org_id=principal.scope, role=role)
    return {"member_id": member_id, "role": role, "changed": bool(removed)}


_PARAMS: dict[str, Field] = {"member_id": Text(required=True), "role": Choice(ROLES, required=True)}
_DESK = ("members:manage",)

VERBS = (
    Verb("role.grant", grant, True, "Grant a role to a member; owner is granted by owners.", _DESK, _PARAMS),
    Verb("role.revoke", revoke, True, "Take a role from a member; the last registered owner stays.", _DESK, _PARAMS),
)
