"""People over REST: who reads which member, and which columns of it. Rules with branches are verbs.

What is in the trash is nobody's row here; `member.trash` lists it.
"""

from db.fields import Choice, Integer, Text
from db.resources import Policy, Resource
from domain.band.names import check_name
from domain.band.visibility import LED_MEMBERS, OWN_MEMBER
from domain.supplied import moment, new_id

_LIVE = "deleted_at IS NULL"
_ALL = Policy("member.view.all", _LIVE)
_SECTION = Policy("member.view.section", f"{_LIVE} AND id IN {LED_MEMBERS}")
_OWN = Policy("member.view.own", f"{_LIVE} AND id = {OWN_MEMBER}")
_LIVE_MEMBERS = "(SELECT id FROM main.members WHERE deleted_at IS NULL)"
# Those of the roster, for who hands out parts.
_PLAYING = "(SELECT id FROM main.members WHERE deleted_at IS NULL AND status IN ('ACTIVE', 'LEAVE_OF_ABSENCE'))"
_SEES_MEMBER = (
    Policy("member.view.all", f"member_id IN {_LIVE_MEMBERS}"),
    Policy("music.assign", f"member_id IN {_PLAYING}", unless="member.view.all"),
    Policy("member.view.section", f"member_id IN {_LIVE_MEMBERS} AND member_id IN {LED_MEMBERS}"),
    Policy("member.view.own", f"member_id = {OWN_MEMBER}"),
)
_EDIT = (Policy("member.edit.all", "1"),)
_SIGNED_IN = (Policy("event.view.all", "1"), Policy("member.view.own", "1"))

PEOPLE: tuple[Resource, ...] = (
    Resource(
        "users",
        read=(Policy("auth.manage", _LIVE), Policy("member.view.own", "id = :principal_id")),
        hidden=frozenset({"email_hash"}),
        personal=frozenset({"email"}),
        redacted=frozenset({"email_hash"}),
    ),
    Resource("roles", read=_SIGNED_IN),
    Resource("permissions", read=_SIGNED_IN),
    Resource("role_permissions", read=_SIGNED_IN),
    Resource("user_roles", read=(Policy("auth.manage", "1"), Policy("member.view.own", "user_id = :principal_id"))),
    Resource(
        "members",
        read=(_ALL, _SECTION, _OWN),
        # A leader reaches the section's people; the emergency contact is for staff and the person, notes for staff.
        masks={
            **dict.fromkeys(("emergency_name", "emergency_phone", "emergency_email"), (_ALL, _OWN)),
            "notes": (Policy("member.edit.all", "1"),),
        },
        hidden=frozenset({"email_hash"}),
        personal=frozenset({"email", "phone", "emergency_name", "emergency_phone", "emergency_email"}),
        redacted=frozenset({"email_hash"}),
    ),
    Resource(
        "instruments",
        read=_SIGNED_IN,
        insert=_EDIT,
        update=_EDIT,
        delete=_EDIT,
        fields={
            "name": Text(required=True, max_characters=100),
            "family": Choice(("Woodwind", "Brass", "Percussion", "String", "Keyboard"), required=True),
            "sort_order": Integer(),
        },
        supplied={"id": new_id, "created_at": moment, "updated_at": moment},
        touched={"updated_at": moment},
        check=check_name("instruments"),
    ),
    Resource(
        "sections",
        read=_SIGNED_IN,
        insert=_EDIT,
        update=_EDIT,
        delete=_EDIT,
        fields={
            "name": Text(required=True, max_characters=100),
            "description": Text(max_characters=500),
            "sort_order": Integer(),
        },
        supplied={"id": new_id, "created_at": moment, "updated_at": moment},
        touched={"updated_at": moment},
        check=check_name("sections"),
    ),
    Resource("member_instruments", read=_SEES_MEMBER),
    Resource("member_sections", read=_SEES_MEMBER),
)
