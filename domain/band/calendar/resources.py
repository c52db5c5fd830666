"""The calendar over REST: who reads which event, note and mark. Data only; rules with branches are verbs.

What is in the trash is nobody's row here; `event.trash` lists it.
"""

from db.clock import Moment
from db.errors import Invalid
from db.fields import Field, Flag, Text
from db.principal import Principal
from db.resources import Policy, Resource, Values
from db.transaction import Row, WriteTx
from domain.band.visibility import LED_MEMBERS, OWN_MEMBER
from domain.supplied import caller, moment, new_id

_SHOWN = "deleted_at IS NULL AND is_published = 1"
_OF_SHOWN = f"EXISTS (SELECT 1 FROM main.events AS of_it WHERE of_it.id = event_id AND {_SHOWN})"
_OWN_SECTIONS = f"(SELECT section_id FROM main.member_sections WHERE member_id = {OWN_MEMBER})"
_OF_LIVE = "EXISTS (SELECT 1 FROM main.events AS of_it WHERE of_it.id = event_id AND of_it.deleted_at IS NULL)"
_MEMBER_ONLY = (Policy("event.view.all", "1"),)
_EDIT = (Policy("event.edit", "1"),)

VENUE_FIELDS: dict[str, Field] = {
    "name": Text(required=True),
    "address": Text(),
    "city": Text(),
    "state": Text(),
    "zip_code": Text(),
    "directions": Text(max_characters=2000),
    "parking": Text(max_characters=2000),
}
NOTE_FIELDS: dict[str, Field] = {
    "event_id": Text(required=True),
    "title": Text(),
    "content": Text(required=True, max_characters=4000),
    "is_public": Flag(),
    "target_section": Text(),
}


def _check_note(tx: WriteTx, principal: Principal, old: Row | None, new: Values, now: Moment) -> None:
    """Raise Invalid `note_visibility_conflict` for a public note to a section, and for an unknown section or event."""
    public = new.get("is_public", old["is_public"] if old else 0)
    section = new.get("target_section", old["target_section"] if old else None)
    if public and section is not None:
        raise Invalid(
            "target_section: a note for one section is not public",
            code="note_visibility_conflict",
            field="target_section",
        )
    if section is not None and tx.value("SELECT 1 FROM sections WHERE id = :id", id=section) is None:
        raise Invalid(f"target_section: {section!r} is unknown", field="target_section")
    event = new.get("event_id", old["event_id"] if old else None)
    if tx.value("SELECT 1 FROM events WHERE id = :id AND deleted_at IS NULL", id=event) is None:
        raise Invalid(f"event_id: {event!r} is unknown", field="event_id")


CALENDAR: tuple[Resource, ...] = (
    Resource(
        "events",
        read=(
            Policy(None, _SHOWN, unless="event.edit"),
            Policy("event.edit", "deleted_at IS NULL"),
        ),
        masks=dict.fromkeys(("call_time", "dress_code", "program_order"), _MEMBER_ONLY),
        json=frozenset({"program_order"}),
    ),
    Resource(
        "venues",
        read=(
            Policy(None, f"id IN (SELECT venue_id FROM main.events WHERE {_SHOWN})"),
            Policy("event.view.all", "1"),
        ),
        insert=_EDIT,
        update=_EDIT,
        delete=_EDIT,
        fields=VENUE_FIELDS,
        supplied={"id": new_id, "created_at": moment, "updated_at": moment},
        touched={"updated_at": moment},
    ),
    Resource(
        "event_music",
        read=(Policy(None, _OF_SHOWN, unless="event.edit"), Policy("event.edit", _OF_LIVE)),
        masks={"notes": _MEMBER_ONLY},
    ),
    Resource(
        "event_notes",
        read=(
            Policy(None, f"{_OF_SHOWN} AND is_public = 1"),
            Policy("event.view.all", f"{_OF_SHOWN} AND (target_section IS NULL OR target_section IN {_OWN_SECTIONS})"),
            Policy("event.edit", _OF_LIVE),
        ),
        insert=_EDIT,
        update=_EDIT,
        delete=_EDIT,
        fields=NOTE_FIELDS,
        fixed=frozenset({"event_id"}),
        supplied={"id": new_id, "created_at": moment, "updated_at": moment, "created_by": caller},
        touched={"updated_at": moment},
        check=_check_note,
    ),
    Resource(
        "attendance",
        read=(
            Policy("attendance.view.all", _OF_LIVE),
            Policy(
                "attendance.view.section", f"{_OF_LIVE} AND member_id IN {LED_MEMBERS}", unless="attendance.view.all"
            ),
            Policy("attendance.view.own", f"{_OF_LIVE} AND member_id = {OWN_MEMBER}", unless="attendance.view.all"),
        ),
    ),
)
