"""Members: add to the roster, rename, nickname, remove. Knows people of one organization; not how they register."""

from typing import Any

from db.clock import Moment
from db.errors import Forbidden, Invalid
from db.fields import NAME_CHARACTERS, Choice, Email, Field, Flag, Text
from db.principal import Principal
from db.transaction import WriteTx
from domain.charter import Args, Verb
from domain.choir.membership import add_membership, add_person, member_here, name_taken, refuse_taken_name
from domain.choir.permissions import ROLES
from domain.choir.placements import PLACEMENT_PARAMS, place, wanted_entries
from domain.choir.roles import give_roles, refuse_last_owner, require_owner_for
from domain.choir.sections import SECTION
from domain.choir.several import Several
from domain.choir.voices import VOICE
from domain.errors import SelfRemoval

ROSTER_ENTRY: dict[str, Field] = {
    "name": Text(required=True),
    "nickname": Text(),
    "email_contact": Email(),
    "roles": Several(Choice(ROLES)),
    **PLACEMENT_PARAMS,
}


def add_roster(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new member's id. Voices and sections come as ids or as names; the first of each becomes primary.

    Raises Duplicate, Forbidden for `owner` by somebody who is none, NotFound and Inactive for voices and sections.
    """
    require_owner_for(principal, args.get("roles") or [])
    refuse_taken_name(tx, principal.scope, args["name"])
    return {"id": enter_on_roster(tx, principal, args, now)}


def enter_on_roster(tx: WriteTx, principal: Principal, args: Args, now: Moment, joined_at: str | None = None) -> str:
    """The id of a new member whose name and roles were found in order. joined_at: None = now.

    Raises NotFound and Inactive for voices and sections, before anything is written.
    """
    org_id = principal.scope
    entries = [(kind, wanted_entries(tx, kind, org_id, args)) for kind in (VOICE, SECTION)]
    member_id = add_person(
        tx,
        now,
        name=args["name"],
        nickname=args.get("nickname"),
        email_contact=args.get("email_contact"),
        invited_by=principal.id,
        joined_at=joined_at,
    )
    add_membership(tx, org_id, member_id, principal.id, now, joined_at)
    give_roles(tx, org_id, member_id, args.get("roles") or [], principal.id, now)
    for kind, entry_ids in entries:
        for position, entry_id in enumerate(entry_ids):
            place(tx, kind, member_id, entry_id, primary=position == 0, assigned_by=principal.id, now=now)
    return member_id


def _require_self_or_desk(principal: Principal, member_id: str) -> None:
    """Raise Forbidden unless the caller is the person or manages members."""
    if principal.id != member_id and not principal.may("members:manage"):
        raise Forbidden("only the person or the admin desk may change this")


def rename(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id and name. Raises Duplicate when the name is taken in any organization the person belongs to."""
    member_id, name = args["member_id"], args["name"]
    member_here(tx, principal.scope, member_id)
    _require_self_or_desk(principal, member_id)
    for row in tx.rows("SELECT org_id FROM member_organizations WHERE member_id = :id", id=member_id):
        refuse_taken_name(tx, row["org_id"], name, except_id=member_id)
    tx.execute("UPDATE members SET name = :name WHERE id = :id", name=name, id=member_id)
    return {"id": member_id, "name": name}


def take_name(tx: WriteTx, member_id: str, name: str) -> bool:
    """Whether the member is called so now: not when somebody else is, in any organization the person belongs to."""
    wanted = name.strip()[:NAME_CHARACTERS].rstrip()
    places = tx.rows("SELECT org_id FROM member_organizations WHERE member_id = :id", id=member_id)
    if not wanted or any(name_taken(tx, row["org_id"], wanted, except_id=member_id) for row in places):
        return False
    rename = "UPDATE members SET name = :name WHERE id = :id AND name <> :name"
    return bool(tx.execute(rename, name=wanted, id=member_id))


_NICKNAME_HERE = """
UPDATE member_organizations SET nickname = :nickname WHERE member_id = :id AND org_id = :org_id
"""


def set_nickname(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id and nickname; `here` sets the one used in this organization only. Blank or null clears."""
    member_id, nickname = args["member_id"], args.get("nickname")
    if "nickname" not in args:
        raise Invalid("nickname: required; blank or null clears it", field="nickname")
    member_here(tx, principal.scope, member_id)
    _require_self_or_desk(principal, member_id)
    if args.get("here"):
        tx.execute(_NICKNAME_HERE, nickname=nickname, id=member_id, org_id=principal.scope)
    else:
        tx.execute("UPDATE members SET nickname = :nickname WHERE id = :id", nickname=nickname, id=member_id)
    return {"id": member_id, "nickname": nickname}


_HOLDS_OWNER = "SELECT 1 FROM member_roles WHERE member_id = :id AND org_id = :org_id AND role = 'owner'"


def remove(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id of the former member, whose row and history stay. Raises NotFound, SelfRemoval, Forbidden, LastOwner."""
    member_id, org_id = args["member_id"], principal.scope
    member_here(tx, org_id, member_id)
    if principal.id == member_id:
        raise SelfRemoval("nobody removes herself; ask another administrator")
    if tx.value(_HOLDS_OWNER, id=member_id, org_id=org_id) is not None:
        require_owner_for(principal, ["owner"])
        refuse_last_owner(tx, org_id, member_id)
    tx.execute("DELETE FROM invites WHERE roster_member_id = :id AND org_id = :org_id", id=member_id, org_id=org_id)
    # Roles, voices and sections of this organization go with the membership (foreign key and trigger).
    tx.execute(
        "DELETE FROM member_organizations WHERE member_id = :id AND org_id = :org_id", id=member_id, org_id=org_id
    )
    return {"id": member_id}


_DESK = ("members:manage",)
_MEMBER: dict[str, Field] = {"member_id": Text(required=True)}

VERBS = (
    Verb("member.add_roster", add_roster, True, "Add a person who cannot sign in yet.", _DESK, ROSTER_ENTRY),
    Verb("member.remove", remove, True, "End somebody's membership here; history stays.", _DESK, _MEMBER),
    Verb(
        "member.rename",
        rename,
        True,
        "Change one's own name, or as the admin desk anybody's.",
        ("member",),
        {**_MEMBER, "name": Text(required=True)},
    ),
    Verb(
        "member.set_nickname",
        set_nickname,
        True,
        "Set or clear a nickname, everywhere or in this organization only.",
        ("member",),
        {**_MEMBER, "nickname": Text(), "here": Flag()},
    ),
)
