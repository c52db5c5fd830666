"""The works of a season or event: add, remove, order, note. Knows positions; not which editions are sung from."""

import json
from typing import Any

from db.clock import Moment
from db.errors import Invalid
from db.fields import TEXT_CHARACTERS, Field, ListOf, Text
from db.principal import Principal
from db.transaction import WriteTx
from domain.charter import Args, Verb
from domain.choir.repertoire.plan import PLAN_PARAMS, item_in, plan_here
from domain.choir.works import work_here
from domain.errors import Duplicate
from domain.ordered_list import permutation_fault

MOST_WORKS = 500


def add_work(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new item, last in order. Raises NotFound, Duplicate, Invalid for more works than can be put in order."""
    kind, plan_id = plan_here(tx, principal.scope, args)
    work = work_here(tx, principal.scope, args["work_id"])
    if tx.value(
        f"SELECT 1 FROM {kind.items} WHERE {kind.plan_column} = :plan_id AND work_id = :work_id",
        plan_id=plan_id,
        work_id=work["id"],
    ):
        raise Duplicate(f"work_id: {work['title']!r} is in this {kind.noun} already", field="work_id")
    last, count = tx.rows(
        f"SELECT max(display_order), count(*) FROM {kind.items} WHERE {kind.plan_column} = :plan_id", plan_id=plan_id
    )[0]
    if count >= MOST_WORKS:
        raise Invalid(f"this {kind.noun} has {count} works, the limit is {MOST_WORKS}", field="work_id")
    item_id = now.new_id()
    tx.execute(
        f"""
        INSERT INTO {kind.items} (id, {kind.plan_column}, work_id, display_order, notes, added_at, added_by)
        VALUES (:id, :plan_id, :work_id, :position, :notes, :now, :caller_id)
        """,
        id=item_id,
        plan_id=plan_id,
        work_id=work["id"],
        position=0 if last is None else last + 1,
        notes=args.get("notes"),
        now=now.text,
        caller_id=principal.id,
    )
    return item_in(tx, kind, plan_id, item_id)


def remove_work(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id that is gone with its picks; the others keep their positions. Raises NotFound."""
    kind, plan_id = plan_here(tx, principal.scope, args)
    item = item_in(tx, kind, plan_id, args["item_id"])
    tx.execute(f"DELETE FROM {kind.items} WHERE id = :id", id=item["id"])
    return {"id": item["id"]}


def reorder(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many items were numbered from 0. Raises Invalid unless every item of the season or event is given once."""
    kind, plan_id = plan_here(tx, principal.scope, args)
    rows = tx.rows(f"SELECT id FROM {kind.items} WHERE {kind.plan_column} = :plan_id", plan_id=plan_id)
    if fault := permutation_fault(args["ids"], [row[0] for row in rows], f"this {kind.noun}"):
        raise Invalid(f"ids: {fault}; wanted every item of the {kind.noun} exactly once", field="ids")
    tx.execute(
        f"UPDATE {kind.items} SET display_order = wanted.key FROM json_each(:ids) AS wanted"
        f" WHERE {kind.items}.id = wanted.value",
        ids=json.dumps(args["ids"]),
    )
    return {"ordered": len(args["ids"])}


def set_notes(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The item with its new notes; null clears them. Raises NotFound, Invalid."""
    kind, plan_id = plan_here(tx, principal.scope, args)
    item = item_in(tx, kind, plan_id, args["item_id"])
    if "notes" not in args:
        raise Invalid("notes: required; null clears them", field="notes")
    tx.execute(f"UPDATE {kind.items} SET notes = :notes WHERE id = :id", notes=args["notes"], id=item["id"])
    return {**item, "notes": args["notes"]}


_DESK = ("desk:repertoire",)
_NOTES: dict[str, Field] = {"notes": Text(max_characters=TEXT_CHARACTERS)}
_ITEM: dict[str, Field] = {**PLAN_PARAMS, "item_id": Text(required=True)}

VERBS = (
    Verb(
        "repertoire.add_work",
        add_work,
        True,
        "Add a work to a season or event, last in order.",
        _DESK,
        {**PLAN_PARAMS, "work_id": Text(required=True), **_NOTES},
    ),
    Verb("repertoire.remove_work", remove_work, True, "Take a work out of a season or event.", _DESK, _ITEM),
    Verb(
        "repertoire.reorder",
        reorder,
        True,
        "Number all works of a season or event from 0 in the order given.",
        _DESK,
        {**PLAN_PARAMS, "ids": ListOf(Text(), required=True, maximum=MOST_WORKS)},
    ),
    Verb("repertoire.set_notes", set_notes, True, "Set or clear the notes of a work.", _DESK, {**_ITEM, **_NOTES}),
)
