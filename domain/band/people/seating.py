"""Verbs that set what members play and where they sit. Knows whole lists; the rows are `placements`."""

from typing import Any

from db.clock import Moment
from db.errors import Invalid
from db.fields import Field, ListOf, Text
from db.principal import Principal
from db.transaction import WriteTx
from domain.band.people.members import live_member
from domain.band.people.placements import INSTRUMENT, SECTION, Entry, put_instruments, put_sections
from domain.charter import Args, Verb


def set_instruments(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The member's id. Raises NotFound, Invalid for a repeated or unknown instrument or two primary ones."""
    member = live_member(tx, args["member_id"])
    put_instruments(tx, member["id"], args["instruments"], now)
    return {"id": member["id"]}


def set_sections(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The member's id. Raises NotFound, Invalid for a repeated or unknown section."""
    member = live_member(tx, args["member_id"])
    put_sections(tx, member["id"], args["sections"], now)
    return {"id": member["id"]}


def move_to_section(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many members now sit in this one section, or in none for null; all of them or none. Raises NotFound."""
    if "section_id" not in args:
        raise Invalid("section_id: required; null takes the members out of every section", field="section_id")
    section_id: str | None = args["section_id"]
    items = [] if section_id is None else [{"id": section_id, "is_leader": 0}]
    member_ids = list(dict.fromkeys(args["member_ids"]))
    for member_id in member_ids:
        put_sections(tx, live_member(tx, member_id)["id"], items, now)
    return {"count": len(member_ids)}


_EDIT = ("member.edit.all",)
_MEMBER: dict[str, Field] = {"member_id": Text(required=True)}

VERBS = (
    Verb(
        "member.set_instruments",
        set_instruments,
        True,
        "Say what a member plays: the whole list, one of it primary.",
        _EDIT,
        {**_MEMBER, "instruments": ListOf(Entry(INSTRUMENT), required=True)},
    ),
    Verb(
        "member.set_sections",
        set_sections,
        True,
        "Say in which sections a member sits, and which of them the member leads.",
        _EDIT,
        {**_MEMBER, "sections": ListOf(Entry(SECTION), required=True)},
    ),
    Verb(
        "member.move_to_section",
        move_to_section,
        True,
        "Put several members into one section, or out of every section.",
        _EDIT,
        {"member_ids": ListOf(Text(), required=True, minimum=1), "section_id": Text()},
    ),
)
