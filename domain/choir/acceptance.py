"""Accepting an invitation with a verified address: the four cases. Knows people and placements; opens no session."""

from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.errors import NotAuthenticated, NotFound
from db.fields import NAME_CHARACTERS, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.charter import Args, Verb
from domain.choir.invites import KINDS, find_invite, refuse_expired
from domain.choir.membership import add_membership, add_person, known_member, member_here, name_taken
from domain.choir.merge import merge_roster_person
from domain.choir.placements import PlacementKind, held_here, place, primary_of
from domain.errors import AlreadyRegistered


@dataclass(frozen=True, slots=True)
class Join:
    """Case A: a new person joins."""


@dataclass(frozen=True, slots=True)
class JoinKnown:
    """Case B: somebody this vault knows joins this organization too."""

    member_id: str


@dataclass(frozen=True, slots=True)
class Register:
    """Case C: the roster person can sign in from now on."""

    roster_id: str


@dataclass(frozen=True, slots=True)
class Merge:
    """Case D: the roster person turns out to be somebody this vault knows."""

    roster_id: str
    survivor_id: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """A second click: the roster person signs in with this address already."""

    member_id: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The roster person signs in with another address: as if the link did not exist."""


Acceptance = Join | JoinKnown | Register | Merge | Repeat | Unknown


def decide_acceptance(roster_id: str | None, *, roster_registered: bool, known_id: str | None) -> Acceptance:
    """Which case it is.

    roster_id: the person the invitation is linked to, if any. known_id: who signs in with the accepting address.
    """
    if roster_id is None:
        return Join() if known_id is None else JoinKnown(known_id)
    if known_id == roster_id:
        return Repeat(roster_id)
    if roster_registered:
        return Unknown()
    return Register(roster_id) if known_id is None else Merge(roster_id, known_id)


def accept(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The member's id and what happened: joined, registered, merged or unchanged. The invitation is gone then.

    The caller needs a verified address and no grant. Raises NotAuthenticated, NotFound, InviteExpired, and
    AlreadyRegistered when the link was used and the caller is a member.
    """
    if not principal.email:
        raise NotAuthenticated("accepting needs a verified e-mail address; sign in first")
    known_id = known_member(tx, principal.email)
    invite = find_invite(tx, principal.scope, args["token"])
    if invite is None:
        _refuse_gone(tx, principal.scope, known_id)
        raise NotFound("the invitation is unknown or was used; sign in instead", field="token")
    refuse_expired(invite, now)
    decision = decide_acceptance(
        invite["roster_member_id"], roster_registered=bool(invite["registered"]), known_id=known_id
    )
    member_id, outcome = _act(tx, principal, invite, decision, now)
    tx.execute("DELETE FROM invites WHERE id = :id", id=invite["id"])
    return {"member_id": member_id, "outcome": outcome}


def _refuse_gone(tx: ReadTx, org_id: str, known_id: str | None) -> None:
    """Tell a member that the link was used already; to anybody else it never existed."""
    if known_id is not None and _is_member(tx, org_id, known_id):
        raise AlreadyRegistered("the invitation was used and you are a member; sign in", field="token")


def _is_member(tx: ReadTx, org_id: str, member_id: str) -> bool:
    membership = "SELECT 1 FROM member_organizations WHERE member_id = :member_id AND org_id = :org_id"
    return tx.value(membership, member_id=member_id, org_id=org_id) is not None


_REGISTER = """
UPDATE members SET email_id = personal_seal('members.email_id', :email), email_id_lookup = personal_lookup(:email)
 WHERE id = :id
"""


def _act(tx: WriteTx, principal: Principal, invite: Row, decision: Acceptance, now: Moment) -> tuple[str, str]:
    """Do what was decided; the member's id and a word for it."""
    match decision:
        case Join():
            return _join(tx, principal, invite, now), "joined"
        case JoinKnown(member_id):
            _join_known(tx, principal.scope, invite, member_id, now)
            return member_id, "joined"
        case Register(roster_id):
            tx.execute(_REGISTER, email=principal.email, id=roster_id)
            return roster_id, "registered"
        case Merge(roster_id, survivor_id):
            merge_roster_person(tx, principal.scope, roster_id, survivor_id)
            return survivor_id, "merged"
        case Repeat(member_id):
            return member_id, "unchanged"
        case Unknown():
            raise NotFound("the invitation is unknown or was used; sign in instead", field="token")


def free_name(tx: ReadTx, org_id: str, name: str, *, except_id: str | None = None) -> str:
    """The name, with ` (2)`, ` (3)` … appended while somebody else in the organization has it."""
    candidate, number = name, 1
    while name_taken(tx, org_id, candidate, except_id=except_id):
        number += 1
        suffix = f" ({number})"
        candidate = name[: NAME_CHARACTERS - len(suffix)].rstrip() + suffix
    return candidate


def _join(tx: WriteTx, principal: Principal, invite: Row, now: Moment) -> str:
    """Case A; the new member's id."""
    wanted = principal.name.strip()[:NAME_CHARACTERS].rstrip() or invite["name"]
    name = free_name(tx, principal.scope, wanted)
    member_id = add_person(tx, now, name=name, email_id=principal.email, invited_by=invite["invited_by"])
    add_membership(tx, principal.scope, member_id, invite["invited_by"], now)
    _apply_placements(tx, principal.scope, invite, member_id, now)
    return member_id


_NICKNAME = "UPDATE member_organizations SET nickname = :nickname WHERE member_id = :id AND org_id = :org_id"


def _join_known(tx: WriteTx, org_id: str, invite: Row, member_id: str, now: Moment) -> None:
    """Case B; a member of this organization only gets what is missing."""
    if not _is_member(tx, org_id, member_id):
        add_membership(tx, org_id, member_id, invite["invited_by"], now)
        name = member_here(tx, org_id, member_id)["name"]
        shown = free_name(tx, org_id, name, except_id=member_id)
        if shown != name:
            # The name is the person's in every organization; only what is shown here can give way.
            tx.execute(_NICKNAME, nickname=shown, id=member_id, org_id=org_id)
    _apply_placements(tx, org_id, invite, member_id, now)


def _apply_placements(tx: WriteTx, org_id: str, invite: Row, member_id: str, now: Moment) -> None:
    """Give the member the invitation's voices and sections."""
    for kind in KINDS:
        _apply_kind(tx, kind, org_id, invite, member_id, now)


def _apply_kind(tx: WriteTx, kind: PlacementKind, org_id: str, invite: Row, member_id: str, now: Moment) -> None:
    """Give the member what is missing; a primary mark counts only where the member has none in this organization."""
    has_primary = primary_of(tx, kind, org_id, member_id) is not None
    held = held_here(tx, kind, org_id, member_id)
    wanted = tx.rows(
        f"SELECT {kind.id_column} AS entry_id, is_primary FROM {kind.invited} WHERE invite_id = :id", id=invite["id"]
    )
    for row in wanted:
        if row["entry_id"] not in held:
            primary = bool(row["is_primary"]) and not has_primary
            place(tx, kind, member_id, row["entry_id"], primary=primary, assigned_by=invite["invited_by"], now=now)


VERBS = (
    Verb(
        "invite.accept",
        accept,
        True,
        "Join, register or merge with a token and a verified address.",
        (),
        {"token": Text(required=True)},
    ),
)
