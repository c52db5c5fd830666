"""Lists of people: the roster for those who hand out parts, the search by address, the table to take along.

Knows what each reader may see; changes nothing but the note that an export was made.
"""

import json
from typing import Any

from db.clock import Moment
from db.errors import Forbidden
from db.fields import Choice, Email, Text
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.band.people.status import STATUSES
from domain.band.visibility import LED_MEMBERS, OWN_MEMBER
from domain.charter import Args, Verb

_ROSTER = """
SELECT m.id, m.first_name, m.last_name, m.status,
       (SELECT json_group_array(json_object('id', i.id, 'name', i.name, 'is_primary', p.is_primary)) FROM (
            SELECT instrument_id, is_primary FROM member_instruments WHERE member_id = m.id) AS p
          JOIN instruments AS i ON i.id = p.instrument_id) AS instruments,
       (SELECT json_group_array(json_object('id', s.id, 'name', s.name, 'is_leader', p.is_leader)) FROM (
            SELECT section_id, is_leader FROM member_sections WHERE member_id = m.id) AS p
          JOIN sections AS s ON s.id = p.section_id) AS sections
  FROM members AS m
 WHERE m.deleted_at IS NULL AND m.status IN ('ACTIVE', 'LEAVE_OF_ABSENCE')
 ORDER BY m.last_name, m.first_name, m.id
"""


def roster(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Who plays now or will again: names, instruments, sections. No address, no note."""
    rows = [dict(row) for row in tx.rows(_ROSTER)]
    return [row | {name: json.loads(row[name]) for name in ("instruments", "sections")} for row in rows]


_BY_EMAIL = f"""
SELECT id, first_name, last_name, status, user_id FROM members
 WHERE email_hash = personal_lookup(:email) AND deleted_at IS NULL
   AND (:everybody OR (:section AND id IN {LED_MEMBERS}) OR (:own AND id = {OWN_MEMBER}))
 ORDER BY last_name, first_name, id
"""


def find_by_email(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Members whom the caller sees with exactly this address, whatever its case; relatives may share one."""
    scopes = {"everybody": "all", "section": "section", "own": "own"}
    seen = {name: int(principal.may(f"member.view.{scope}")) for name, scope in scopes.items()}
    rows = tx.rows(_BY_EMAIL, email=args["email"], principal_id=principal.id, **seen)
    return [dict(row) for row in rows]


# Columns as in the administrator's spreadsheet: first section, primary instrument, own or else sign-in address.
_EXPORT = """
SELECT m.first_name AS "First Name", m.last_name AS "Last Name",
       coalesce(personal_open('members.email', m.email), personal_open('users.email', u.email)) AS "Email",
       personal_open('members.phone', m.phone) AS "Phone", m.status AS "Status",
       (SELECT s.name FROM member_sections AS p JOIN sections AS s ON s.id = p.section_id
         WHERE p.member_id = m.id ORDER BY s.sort_order, s.name LIMIT 1) AS "Section",
       (SELECT i.name FROM member_instruments AS p JOIN instruments AS i ON i.id = p.instrument_id
         WHERE p.member_id = m.id AND p.is_primary = 1) AS "Instrument",
       (SELECT group_concat(display_name, ', ') FROM (
            SELECT r.display_name FROM held_roles AS held JOIN roles AS r ON r.id = held.role_id
             WHERE held.user_id = m.user_id ORDER BY r.display_name)) AS "Role",
       substr(m.join_date, 1, 10) AS "Join Date",
       personal_open('members.emergency_name', m.emergency_name) AS "Emergency Contact",
       personal_open('members.emergency_phone', m.emergency_phone) AS "Emergency Phone",
       personal_open('members.emergency_email', m.emergency_email) AS "Emergency Email"
  FROM members AS m LEFT JOIN users AS u ON u.id = m.user_id AND u.deleted_at IS NULL
 WHERE m.deleted_at IS NULL AND (:status IS NULL OR m.status = :status)
   AND (:section_id IS NULL OR EXISTS (
        SELECT 1 FROM member_sections WHERE member_id = m.id AND section_id = :section_id))
 ORDER BY m.last_name, m.first_name, m.id
"""


def export(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Every member with addresses and emergency contact, for a spreadsheet. Raises Forbidden.

    The audit log notes the filters and how many rows there were.
    """
    if not principal.may("member.view.all"):
        raise Forbidden("exporting members needs member.view.all besides report.export")
    filters = {"status": args.get("status"), "section_id": args.get("section_id")}
    rows = [dict(row) for row in tx.rows(_EXPORT, **filters)]
    given = {name: value for name, value in filters.items() if value is not None}
    tx.note("members", {"action": "EXPORT", "filters": given, "rows": len(rows)})
    return rows


VERBS = (
    Verb(
        "member.roster",
        roster,
        False,
        "Who plays, with instruments and sections and without addresses.",
        ("music.assign", "member.view.all"),
    ),
    Verb(
        "member.find_by_email",
        find_by_email,
        False,
        "Members with exactly this e-mail address.",
        ("member.view.all", "member.view.section", "member.view.own"),
        {"email": Email(required=True)},
    ),
    Verb(
        "member.export",
        export,
        True,
        "Every member with addresses, for a spreadsheet.",
        ("report.export",),
        {"status": Choice(STATUSES), "section_id": Text()},
    ),
)
