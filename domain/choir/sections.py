"""Sections: where somebody stands in this choir. Knows their seed, parents and edition links; the rest is shared."""

from typing import Any

from db.clock import Moment
from db.fields import Text
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.charter import Args, Verb
from domain.choir.placement_entries import NEW_ENTRY, entry_verbs, number_or, refuse_taken_entry
from domain.choir.placements import PlacementKind, require_here
from domain.choir.voices import SEED, slug


def _other_use(tx: ReadTx, section_id: str) -> str | None:
    """Editions and child sections that still refer to the section."""
    # An edition whose only section disappeared would silently become one for everybody.
    editions = tx.value("SELECT count(*) FROM edition_sections WHERE section_id = :id", id=section_id)
    children = tx.value("SELECT count(*) FROM sections WHERE parent_section_id = :id", id=section_id)
    return f"{editions} editions list it, {children} sections stand below it" if editions or children else None


def _move_links(tx: WriteTx, source_id: str, target_id: str) -> None:
    """Let the editions of one section list the other instead."""
    tx.execute(
        "UPDATE OR IGNORE edition_sections SET section_id = :target_id WHERE section_id = :source_id",
        source_id=source_id,
        target_id=target_id,
    )
    tx.execute("DELETE FROM edition_sections WHERE section_id = :source_id", source_id=source_id)


SECTION = PlacementKind(
    "section", "sections", "member_sections", "invite_sections", "section_id", "joined_at", _other_use, _move_links
)


def seed_sections(tx: WriteTx, org_id: str) -> None:
    """The 13 sections of a new organization; the five plain ones are active, the others stand below them."""
    for name, abbreviation, position, plain in SEED:
        tx.insert(
            "sections",
            id=f"{org_id}-{slug(name)}",
            org_id=org_id,
            name=name,
            abbreviation=abbreviation,
            parent_section_id=None if plain is None else f"{org_id}-{slug(plain)}",
            display_order=position,
            is_active=int(plain is None),
        )


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new section's id. Raises Duplicate, NotFound for a parent that is not of this organization."""
    parent_id = args.get("parent_section_id")
    refuse_taken_entry(tx, SECTION, principal.scope, args["name"])
    if parent_id is not None:
        require_here(tx, SECTION, principal.scope, parent_id)
    section_id = now.new_id()
    tx.insert(
        "sections",
        id=section_id,
        org_id=principal.scope,
        name=args["name"],
        abbreviation=args["abbreviation"],
        parent_section_id=parent_id,
        display_order=number_or(args.get("display_order"), 0),
        is_active=number_or(args.get("is_active"), 1),
    )
    return {"id": section_id}


VERBS: tuple[Verb, ...] = entry_verbs(SECTION, create, {**NEW_ENTRY, "parent_section_id": Text()})
