"""Reading members: the admin desk's list and one member's card. Knows what each caller may see; changes nothing."""

import json
from typing import Any

from db.clock import Moment
from db.errors import NotFound
from db.fields import Text
from db.principal import Principal
from db.transaction import ReadTx, Row
from domain.charter import Args, Verb

# Shown section: the primary one if active, else the first active, else the first. :addresses = 1 opens every address.
_MEMBERS = """
SELECT m.id, m.name, m.nickname, o.nickname AS nickname_here, o.joined_at,
       coalesce(o.nickname, m.nickname, m.name) AS display_name,
       m.email_id IS NOT NULL AS registered,
       iif(:addresses OR m.id = :caller_id, personal_open('members.email_id', m.email_id), NULL) AS email_id,
       iif(:addresses OR m.id = :caller_id, personal_open('members.email_contact', m.email_contact), NULL)
           AS email_contact,
       (SELECT json_group_array(role) FROM (
            SELECT role FROM member_roles WHERE member_id = m.id AND org_id = o.org_id ORDER BY role)) AS roles,
       (SELECT json_group_array(json_object('id', id, 'name', name, 'is_primary', is_primary)) FROM (
            SELECT v.id, v.name, p.is_primary FROM member_voices AS p JOIN voices AS v ON v.id = p.voice_id
             WHERE p.member_id = m.id AND v.org_id = o.org_id ORDER BY v.display_order, v.name)) AS voices,
       (SELECT json_group_array(json_object('id', id, 'name', name, 'is_primary', is_primary)) FROM (
            SELECT s.id, s.name, p.is_primary FROM member_sections AS p JOIN sections AS s ON s.id = p.section_id
             WHERE p.member_id = m.id AND s.org_id = o.org_id ORDER BY s.display_order, s.name)) AS sections,
       (SELECT json_object('id', s.id, 'name', s.name, 'abbreviation', s.abbreviation)
          FROM member_sections AS p JOIN sections AS s ON s.id = p.section_id
         WHERE p.member_id = m.id AND s.org_id = o.org_id
         ORDER BY p.is_primary AND s.is_active DESC, s.is_active DESC, s.display_order, s.name LIMIT 1) AS section,
       (SELECT json_object('id', i.id, 'expires_at', i.expires_at) FROM invites AS i
         WHERE :addresses AND i.roster_member_id = m.id AND i.org_id = o.org_id AND i.expires_at > :now) AS invite
  FROM member_organizations AS o JOIN members AS m ON m.id = o.member_id
 WHERE o.org_id = :org_id AND (:member_id IS NULL OR m.id = :member_id)
 ORDER BY casefold(coalesce(o.nickname, m.nickname, m.name)), m.id
"""
_JSON = ("roles", "voices", "sections", "section", "invite")


def _member(row: Row) -> dict[str, Any]:
    """The row as an answer: lists and objects for the JSON columns, true or false for `registered`."""
    card = dict(row)
    for name in _JSON:
        card[name] = None if row[name] is None else json.loads(row[name])
    card["registered"] = bool(row["registered"])
    return card


def _cards(tx: ReadTx, principal: Principal, member_id: str | None, now: Moment) -> list[dict[str, Any]]:
    rows = tx.rows(
        _MEMBERS,
        addresses=int(principal.may("desk:admin")),
        caller_id=principal.id,
        org_id=principal.scope,
        member_id=member_id,
        now=now.text,
    )
    return [_member(row) for row in rows]


def list_members(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Every member by display name, with addresses and live invitations."""
    return _cards(tx, principal, None, now)


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """One member; addresses for the person and the admin desk only. Raises NotFound."""
    cards = _cards(tx, principal, args["member_id"], now)
    if not cards:
        raise NotFound(f"member {args['member_id']}: not in this organization", field="member_id")
    return cards[0]


VERBS = (
    Verb("member.list", list_members, False, "All members with addresses and live invitations.", ("desk:admin",)),
    Verb("member.get", get, False, "One member's card.", ("member",), {"member_id": Text(required=True)}),
)
