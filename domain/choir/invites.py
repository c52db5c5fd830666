"""Invitations: create, list, renew, revoke, open. Knows tokens and their 48 hours; accepting one is acceptance.py."""

import json
from typing import Any, LiteralString

from db.clock import Moment
from db.errors import Forbidden, Invalid, NotFound
from db.fields import Choice, Field, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.charter import Args, Verb
from domain.choir.membership import member_here
from domain.choir.permissions import ROLES
from domain.choir.placements import PLACEMENT_PARAMS, PlacementKind, wanted_entries
from domain.choir.roles import give_roles, require_owner_for
from domain.choir.sections import SECTION
from domain.choir.several import Several
from domain.choir.voices import VOICE
from domain.errors import AlreadyRegistered, InviteExpired, PendingInvite

LIFETIME_S = 48 * 3600
TOKEN_BYTES = 32
KINDS = (VOICE, SECTION)


def link_path(token: str) -> str:
    """The path of the invitation's link, below the address of the organization."""
    return f"/invite/accept?token={token}"


NEW_INVITE: dict[str, Field] = {
    "roster_member_id": Text(),
    "name": Text(),
    "roles": Several(Choice(ROLES)),
    **PLACEMENT_PARAMS,
}


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, token, link path and expiry. Raises NotFound, AlreadyRegistered, PendingInvite, Forbidden, Invalid."""
    if principal.id is None:
        raise Forbidden("an invitation names the member who invites; a token cannot invite")
    roster_id: str | None = args.get("roster_member_id")
    roles: list[str] = args.get("roles") or []
    require_owner_for(principal, roles)
    if roster_id is not None:
        name = _check_linked(tx, principal.scope, roster_id, args, now)
        give_roles(tx, principal.scope, roster_id, roles, principal.id, now)
        tx.execute("DELETE FROM invites WHERE roster_member_id = :id", id=roster_id)
    else:
        name = _check_free(args)
    entries = [(kind, wanted_entries(tx, kind, principal.scope, args)) for kind in KINDS]
    invite = {"id": now.new_id(), "token": now.token_hex(TOKEN_BYTES), "expires_at": now.later(seconds=LIFETIME_S)}
    tx.insert(
        "invites",
        **invite,
        org_id=principal.scope,
        name=name,
        roster_member_id=roster_id,
        invited_by=principal.id,
        created_at=now.text,
    )
    for kind, entry_ids in entries:
        for position, entry_id in enumerate(entry_ids):
            _name_entry(tx, kind, invite["id"], entry_id, primary=position == 0)
    return {**invite, "link_path": link_path(invite["token"])}


def _check_linked(tx: ReadTx, org_id: str, roster_id: str, args: Args, now: Moment) -> str:
    """The name of the roster person to invite. Raises Invalid, NotFound, AlreadyRegistered, PendingInvite."""
    if refused := next((name for name in ("name", *PLACEMENT_PARAMS) if args.get(name)), None):
        raise Invalid(f"{refused}: a linked invitation takes it from the roster", field=refused)
    person = member_here(tx, org_id, roster_id)
    if person["registered"]:
        raise AlreadyRegistered(f"{person['name']} can sign in already", field="roster_member_id")
    expires_at = tx.value("SELECT expires_at FROM invites WHERE roster_member_id = :id", id=roster_id)
    if expires_at is not None and expires_at > now.text:
        raise PendingInvite(f"{person['name']} has an invitation valid until {expires_at}", hint="renew or revoke it")
    name: str = person["name"]
    return name


def _check_free(args: Args) -> str:
    """The label of an invitation to somebody unknown. Raises Invalid."""
    if args.get("roles"):
        raise Invalid(
            "roles: an invitation without a roster person cannot carry roles; grant them later", field="roles"
        )
    name: str | None = args.get("name")
    if name is None:
        raise Invalid("name: required unless roster_member_id is given", field="name")
    return name


def _name_entry(tx: WriteTx, kind: PlacementKind, invite_id: str, entry_id: str, *, primary: bool) -> None:
    tx.execute(
        f"INSERT INTO {kind.invited} (invite_id, {kind.id_column}, is_primary) VALUES (:invite, :entry, :primary)",
        invite=invite_id,
        entry=entry_id,
        primary=int(primary),
    )


def _names(kind: PlacementKind) -> LiteralString:
    """SQL for the names of the voices or sections an invitation `i` brings, as a JSON list in display order."""
    return f"""(SELECT json_group_array(name) FROM (
        SELECT e.name FROM {kind.invited} AS p JOIN {kind.table} AS e ON e.id = p.{kind.id_column}
         WHERE p.invite_id = i.id ORDER BY p.is_primary DESC, e.display_order, e.name))"""


_PENDING = f"""
SELECT i.id, i.name, i.token, i.roster_member_id, i.created_at, i.expires_at, m.name AS invited_by,
       {_names(VOICE)} AS voices, {_names(SECTION)} AS sections
  FROM invites AS i JOIN members AS m ON m.id = i.invited_by
 WHERE i.org_id = :org_id AND i.expires_at > :now
 ORDER BY i.created_at DESC, i.id DESC
"""


def list_pending(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Every live invitation, newest first, with its link path and the inviter's name."""
    rows = tx.rows(_PENDING, org_id=principal.scope, now=now.text)
    return [
        dict(row)
        | {"voices": json.loads(row["voices"]), "sections": json.loads(row["sections"])}
        | {"link_path": link_path(row["token"])}
        for row in rows
    ]


def renew(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, token and the new expiry, 48 hours from now; an expired invitation comes back to life. Raises NotFound."""
    token = tx.value("SELECT token FROM invites WHERE id = :id AND org_id = :org", id=args["id"], org=principal.scope)
    if token is None:
        raise NotFound(f"invitation {args['id']}: unknown, revoked or accepted", field="id")
    expires_at = now.later(seconds=LIFETIME_S)
    tx.execute("UPDATE invites SET expires_at = :expires_at WHERE id = :id", expires_at=expires_at, id=args["id"])
    return {"id": args["id"], "token": token, "expires_at": expires_at, "link_path": link_path(token)}


_REVOKE = "DELETE FROM invites WHERE id = :id AND org_id = :org_id AND expires_at > :now"


def revoke(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id that is gone. Raises NotFound, for an expired invitation too."""
    if not tx.execute(_REVOKE, id=args["id"], org_id=principal.scope, now=now.text):
        raise NotFound(f"invitation {args['id']}: unknown, accepted or expired", field="id")
    return {"id": args["id"]}


_FIND = """
SELECT i.id, i.name, i.roster_member_id, i.invited_by, i.expires_at,
       m.email_id IS NOT NULL AS registered, o.name AS organization, o.subdomain
  FROM invites AS i JOIN organizations AS o ON o.id = i.org_id LEFT JOIN members AS m ON m.id = i.roster_member_id
 WHERE i.token = :token AND i.org_id = :org_id
"""


def find_invite(tx: ReadTx, org_id: str, token: str) -> Row | None:
    """The invitation of this organization with that token, or None."""
    return tx.row(_FIND, token=token, org_id=org_id)


def refuse_expired(invite: Row, now: Moment) -> None:
    """Raise InviteExpired once the invitation's time is over."""
    if invite["expires_at"] <= now.text:
        raise InviteExpired(f"the invitation expired at {invite['expires_at']}", hint="ask for it to be renewed")


def open_link(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """What the holder of the token is invited to. Raises NotFound (a used link too), InviteExpired."""
    invite = find_invite(tx, principal.scope, args["token"])
    if invite is None or invite["registered"]:
        raise NotFound("the invitation is unknown or was used; sign in instead", field="token")
    refuse_expired(invite, now)
    return {name: invite[name] for name in ("name", "organization", "subdomain", "expires_at")}


_DESK = ("members:invite",)
_ONE = {"id": Text(required=True)}
_LINK = "link_path"

VERBS = (
    Verb(
        "invite.create",
        create,
        True,
        "Invite a roster person, or somebody new by name.",
        _DESK,
        NEW_INVITE,
        link=_LINK,
    ),
    Verb("invite.list", list_pending, False, "Live invitations, newest first.", _DESK, link=_LINK),
    Verb("invite.renew", renew, True, "Give an invitation another 48 hours.", _DESK, _ONE, link=_LINK),
    Verb("invite.revoke", revoke, True, "Withdraw a live invitation.", _DESK, _ONE),
    Verb("invite.open", open_link, False, "What a token invites to.", (), {"token": Text(required=True)}),
)
