"""Voices: what somebody is able to sing or play. Knows their seed and the verb that adds one; the rest is shared."""

from typing import Any

from db.clock import Moment
from db.fields import Choice, Text
from db.principal import Principal
from db.transaction import WriteTx
from domain.charter import Args, Verb
from domain.choir.placement_entries import NEW_ENTRY, entry_verbs, number_or, refuse_taken_entry
from domain.choir.placements import PlacementKind

VOICE = PlacementKind("voice", "voices", "member_voices", "invite_voices", "voice_id", "assigned_at")

# name, abbreviation, position, the plain one it divides (None: it is plain and active)
SEED: tuple[tuple[str, str, int, str | None], ...] = (
    ("Soprano", "S", 10, None),
    ("Soprano I", "S1", 11, "Soprano"),
    ("Soprano II", "S2", 12, "Soprano"),
    ("Alto", "A", 20, None),
    ("Alto I", "A1", 21, "Alto"),
    ("Alto II", "A2", 22, "Alto"),
    ("Tenor", "T", 30, None),
    ("Tenor I", "T1", 31, "Tenor"),
    ("Tenor II", "T2", 32, "Tenor"),
    ("Baritone", "Bar", 35, None),
    ("Bass", "B", 40, None),
    ("Bass I", "B1", 41, "Bass"),
    ("Bass II", "B2", 42, "Bass"),
)


def slug(name: str) -> str:
    """The name as it stands in the id of a seeded voice or section: `tenor-ii`."""
    return name.lower().replace(" ", "-")


def seed_voices(tx: WriteTx, org_id: str) -> None:
    """The 13 voices of a new organization; the five plain ones are active."""
    for name, abbreviation, position, plain in SEED:
        tx.insert(
            "voices",
            id=f"{org_id}_{slug(name)}",
            org_id=org_id,
            name=name,
            abbreviation=abbreviation,
            category="vocal",
            range_group=(plain or name).lower(),
            display_order=position,
            is_active=int(plain is None),
        )


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new voice's id. Raises Duplicate."""
    refuse_taken_entry(tx, VOICE, principal.scope, args["name"])
    voice_id = now.new_id()
    tx.insert(
        "voices",
        id=voice_id,
        org_id=principal.scope,
        name=args["name"],
        abbreviation=args["abbreviation"],
        category=args["category"],
        range_group=args.get("range_group"),
        display_order=number_or(args.get("display_order"), 0),
        is_active=number_or(args.get("is_active"), 1),
    )
    return {"id": voice_id}


VERBS: tuple[Verb, ...] = entry_verbs(
    VOICE,
    create,
    {**NEW_ENTRY, "category": Choice(("vocal", "instrumental"), required=True), "range_group": Text()},
)
