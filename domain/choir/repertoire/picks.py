"""The editions picked for a work of a season or event. Knows which one is primary; not who sings from which."""

from typing import Any

from db.clock import Moment
from db.errors import Invalid, NotFound
from db.fields import TEXT_CHARACTERS, Field, Flag, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.charter import Args, Verb
from domain.choir.editions import edition_here
from domain.choir.repertoire.plan import PLAN_PARAMS, PlanKind, item_in, plan_here
from domain.errors import Duplicate, TakenDown


def add_edition(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new pick; the first one of an item is primary by itself, `primary` demotes the others.

    Raises NotFound, Invalid for an edition of another work, TakenDown, Duplicate.
    """
    kind, plan_id = plan_here(tx, principal.scope, args)
    item = item_in(tx, kind, plan_id, args["item_id"])
    edition = _pickable(tx, principal.scope, item["work_id"], args["edition_id"])
    picked = {row["edition_id"] for row in _picks(tx, kind, item["id"])}
    if edition["id"] in picked:
        raise Duplicate(f"edition_id: {edition['name']!r} is picked already", field="edition_id")
    primary = bool(args.get("primary")) or not picked
    if primary:
        _demote(tx, kind, item["id"])
    tx.execute(
        f"""
        INSERT INTO {kind.picks} (id, {kind.item_column}, edition_id, is_primary, notes, added_at, added_by)
        VALUES (:id, :item_id, :edition_id, :is_primary, :notes, :now, :caller_id)
        """,
        id=now.new_id(),
        item_id=item["id"],
        edition_id=edition["id"],
        is_primary=int(primary),
        notes=args.get("notes"),
        now=now.text,
        caller_id=principal.id,
    )
    return _shown(_pick(tx, kind, item["id"], edition["id"]))


def _pickable(tx: ReadTx, org_id: str, work_id: str, edition_id: str) -> Row:
    """The edition of that very work. Raises NotFound, Invalid, TakenDown."""
    edition = edition_here(tx, org_id, edition_id)
    if edition["work_id"] != work_id:
        raise Invalid(f"edition_id: {edition['name']!r} is an edition of another work", field="edition_id")
    if edition["deleted_at"] is not None:
        raise TakenDown(f"edition_id: {edition['name']!r} was taken down", field="edition_id")
    return edition


def _picks(tx: ReadTx, kind: PlanKind, item_id: str) -> list[Row]:
    return tx.rows(f"SELECT * FROM {kind.picks} WHERE {kind.item_column} = :item_id", item_id=item_id)


def _pick(tx: ReadTx, kind: PlanKind, item_id: str, edition_id: str) -> Row:
    """The pick. Raises NotFound."""
    for row in _picks(tx, kind, item_id):
        if row["edition_id"] == edition_id:
            return row
    raise NotFound(f"edition {edition_id}: not picked for this work", field="edition_id")


def _shown(pick: Row) -> dict[str, Any]:
    return dict(pick) | {"is_primary": bool(pick["is_primary"])}


def _demote(tx: WriteTx, kind: PlanKind, item_id: str) -> None:
    tx.execute(
        f"UPDATE {kind.picks} SET is_primary = 0 WHERE {kind.item_column} = :item_id AND is_primary = 1",
        item_id=item_id,
    )


def remove_edition(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Item and edition of the pick that is gone; no other becomes primary in its stead. Raises NotFound."""
    kind, plan_id = plan_here(tx, principal.scope, args)
    item = item_in(tx, kind, plan_id, args["item_id"])
    pick = _pick(tx, kind, item["id"], args["edition_id"])
    tx.execute(f"DELETE FROM {kind.picks} WHERE id = :id", id=pick["id"])
    return {"item_id": item["id"], "edition_id": pick["edition_id"]}


def set_primary(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The pick, which is now the only primary one of its item. Raises NotFound."""
    kind, plan_id = plan_here(tx, principal.scope, args)
    item = item_in(tx, kind, plan_id, args["item_id"])
    pick = _pick(tx, kind, item["id"], args["edition_id"])
    _demote(tx, kind, item["id"])
    tx.execute(f"UPDATE {kind.picks} SET is_primary = 1 WHERE id = :id", id=pick["id"])
    return _shown(_pick(tx, kind, item["id"], pick["edition_id"]))


_DESK = ("desk:repertoire",)
_PICK: dict[str, Field] = {**PLAN_PARAMS, "item_id": Text(required=True), "edition_id": Text(required=True)}

VERBS = (
    Verb(
        "repertoire.add_edition",
        add_edition,
        True,
        "Pick an edition for a work of a season or event.",
        _DESK,
        {**_PICK, "primary": Flag(), "notes": Text(max_characters=TEXT_CHARACTERS)},
    ),
    Verb("repertoire.remove_edition", remove_edition, True, "Drop a picked edition.", _DESK, _PICK),
    Verb("repertoire.set_primary", set_primary, True, "Make a picked edition the primary one.", _DESK, _PICK),
)
