"""Verbs that put a member into voices and sections. Knows both kinds as declared; the rules are placements.py."""

from typing import Any

from db.clock import Moment
from db.errors import Invalid, NotFound
from db.fields import TEXT_CHARACTERS, Field, Flag, Text
from db.principal import Principal
from db.transaction import WriteTx
from domain.charter import Args, Verb
from domain.choir.membership import member_here
from domain.choir.placements import PlacementKind, held_here, mark_primary, place, remove, require_here, require_open
from domain.choir.sections import SECTION
from domain.choir.voices import VOICE


def _assign(kind: PlacementKind, tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Member, entry and whether it is the primary one. Raises NotFound, Inactive, Duplicate."""
    member_id, entry_id = args["member_id"], args[kind.id_column]
    member_here(tx, principal.scope, member_id)
    require_open(tx, kind, principal.scope, entry_id)
    primary = bool(args.get("is_primary")) or not held_here(tx, kind, principal.scope, member_id)
    place(tx, kind, member_id, entry_id, primary=primary, assigned_by=principal.id, now=now, notes=args.get("notes"))
    return {"member_id": member_id, kind.id_column: entry_id, "is_primary": primary}


def assign_voice(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Put a member into a voice; the first one here is primary."""
    return _assign(VOICE, tx, principal, args, now)


def assign_section(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Put a member into a section; the first one here is primary."""
    return _assign(SECTION, tx, principal, args, now)


def _one_entry(args: Args) -> tuple[PlacementKind, str]:
    """The kind and id meant by `voice_id` or `section_id`. Raises Invalid unless exactly one is given."""
    given = [(kind, args[kind.id_column]) for kind in (VOICE, SECTION) if args.get(kind.id_column) is not None]
    if len(given) != 1:
        raise Invalid(f"got {len(given)} of voice_id and section_id, wanted exactly one", field="voice_id")
    return given[0]


def make_primary(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Make one voice or section the primary one of the organization. Raises NotFound when the member lacks it."""
    kind, entry_id = _one_entry(args)
    member_here(tx, principal.scope, args["member_id"])
    require_here(tx, kind, principal.scope, entry_id)
    if not mark_primary(tx, kind, args["member_id"], entry_id):
        raise NotFound(f"the member does not have this {kind.noun}", field=kind.id_column)
    return {"member_id": args["member_id"], kind.id_column: entry_id, "is_primary": True}


def unassign(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Take a voice or section from a member; no other is promoted. Raises NotFound when the member lacks it."""
    kind, entry_id = _one_entry(args)
    member_here(tx, principal.scope, args["member_id"])
    require_here(tx, kind, principal.scope, entry_id)
    if not remove(tx, kind, args["member_id"], entry_id):
        raise NotFound(f"the member does not have this {kind.noun}", field=kind.id_column)
    return {"member_id": args["member_id"], kind.id_column: entry_id}


_DESK = ("desk:admin",)
_MEMBER: dict[str, Field] = {"member_id": Text(required=True)}
_MARKS: dict[str, Field] = {"is_primary": Flag(), "notes": Text(max_characters=TEXT_CHARACTERS)}
_EITHER: dict[str, Field] = {**_MEMBER, "voice_id": Text(), "section_id": Text()}

VERBS = (
    Verb(
        "member.assign_voice",
        assign_voice,
        True,
        "Put a member into a voice.",
        _DESK,
        {**_MEMBER, "voice_id": Text(required=True), **_MARKS},
    ),
    Verb(
        "member.assign_section",
        assign_section,
        True,
        "Put a member into a section.",
        _DESK,
        {**_MEMBER, "section_id": Text(required=True), **_MARKS},
    ),
    Verb("member.make_primary", make_primary, True, "Mark a member's voice or section as primary.", _DESK, _EITHER),
    Verb("member.unassign", unassign, True, "Take a voice or section from a member.", _DESK, _EITHER),
)
