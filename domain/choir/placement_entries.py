"""The voices and sections of an organization as entries: list, create, activate, order, hand over, delete.

Knows one kind at a time; not which member sings what (placements.py).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, LiteralString

from db.clock import Moment
from db.errors import Invalid
from db.fields import Field, Flag, Integer, ListOf, Text
from db.principal import Principal
from db.transaction import ReadTx, WriteTx
from domain.charter import Args, Verb
from domain.choir.placements import PlacementKind, require_here
from domain.errors import Duplicate, Inactive, InUse
from domain.ordered_list import permutation_fault

ABBREVIATION_CHARACTERS = 8

NEW_ENTRY: Mapping[str, Field] = {
    "name": Text(required=True),
    "abbreviation": Text(required=True, max_characters=ABBREVIATION_CHARACTERS),
    "display_order": Integer(),
    "is_active": Flag(),
}


def entry_verbs(
    kind: PlacementKind, create: Callable[[WriteTx, Principal, Args, Moment], Any], fields: Mapping[str, Field]
) -> tuple[Verb, ...]:
    """The verbs of one kind. create: writes a new entry; fields: its parameters."""
    desk = ("desk:admin",)
    noun, one = kind.noun, {kind.id_column: Text(required=True)}
    listed = f"All {kind.table} in display order."
    return (
        Verb(f"{noun}.list", partial(_list, kind), False, listed, ("member",), rows=kind.table),
        Verb(f"{noun}.create", create, True, f"Add a {noun}.", desk, fields),
        Verb(
            f"{noun}.activate",
            partial(_activate, kind),
            True,
            f"Activate or deactivate a {noun}; assignments stay.",
            desk,
            {**one, "is_active": Flag(required=True)},
        ),
        Verb(
            f"{noun}.reorder",
            partial(_reorder, kind),
            True,
            f"Number all {kind.table} from 1 in the order given.",
            desk,
            {"ids": ListOf(Text(), required=True)},
        ),
        Verb(
            f"{noun}.reassign",
            partial(_reassign, kind),
            True,
            f"Move everybody from one {noun} to another.",
            desk,
            {"source_id": Text(required=True), "target_id": Text(required=True)},
        ),
        Verb(f"{noun}.delete", partial(_delete, kind), True, f"Delete a {noun} that nobody uses.", desk, one),
    )


def refuse_taken_entry(tx: ReadTx, kind: PlacementKind, org_id: str, name: str) -> None:
    """Raise Duplicate when the organization has an entry of this name, ignoring case."""
    taken = tx.value(
        f"SELECT 1 FROM {kind.table} WHERE org_id = :org_id AND casefold(name) = casefold(:name)",
        org_id=org_id,
        name=name,
    )
    if taken is not None:
        raise Duplicate(f"name: there is a {kind.noun} {name!r} already", field="name")


def number_or(value: int | None, default: int) -> int:
    """A number that may be absent or null, or its default."""
    return default if value is None else value


def _list(kind: PlacementKind, tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Every entry with `assignments` (members and invitations), by display order, then name."""
    rows = tx.rows(
        f"""
        SELECT e.*, (SELECT count(*) FROM {kind.held} WHERE {kind.id_column} = e.id)
                  + (SELECT count(*) FROM {kind.invited} WHERE {kind.id_column} = e.id) AS assignments
          FROM {kind.table} AS e WHERE e.org_id = :org_id
         ORDER BY e.display_order, casefold(e.name)
        """,
        org_id=principal.scope,
    )
    return [dict(row) for row in rows]


def _activate(kind: PlacementKind, tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id and flag. Raises NotFound."""
    entry_id, is_active = args[kind.id_column], args["is_active"]
    require_here(tx, kind, principal.scope, entry_id)
    tx.execute(f"UPDATE {kind.table} SET is_active = :is_active WHERE id = :id", is_active=is_active, id=entry_id)
    return {"id": entry_id, "is_active": is_active}


def _reorder(kind: PlacementKind, tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many entries were numbered. Raises Invalid unless every id of the organization is given once."""
    rows = tx.rows(f"SELECT id FROM {kind.table} WHERE org_id = :org_id", org_id=principal.scope)
    if fault := permutation_fault(args["ids"], [row[0] for row in rows]):
        raise Invalid(f"ids: {fault}; wanted every {kind.noun} exactly once", field="ids")
    for position, entry_id in enumerate(args["ids"], start=1):
        tx.execute(f"UPDATE {kind.table} SET display_order = :position WHERE id = :id", position=position, id=entry_id)
    return {"ordered": len(args["ids"])}


def _reassign(kind: PlacementKind, tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """`moved`: rows of members and invitations that changed their entry; doubles that were dropped do not count."""
    source_id, target_id = args["source_id"], args["target_id"]
    require_here(tx, kind, principal.scope, source_id)
    target = tx.row(
        f"SELECT is_active FROM {kind.table} WHERE id = :id AND org_id = :org_id", id=target_id, org_id=principal.scope
    )
    if source_id == target_id or target is None:
        raise Invalid(
            f"target_id: got {target_id!r}, wanted another {kind.noun} of this organization", field="target_id"
        )
    if not target["is_active"]:
        raise Inactive(f"{kind.noun} {target_id} is deactivated; activate it first", field="target_id")
    kind.move_links(tx, source_id, target_id)
    members = _move(tx, kind, kind.held, "member_id", source_id, target_id)
    invites = _move(tx, kind, kind.invited, "invite_id", source_id, target_id)
    return {"moved": members + invites}


def _move(
    tx: WriteTx, kind: PlacementKind, rows: LiteralString, holder: LiteralString, source_id: str, target_id: str
) -> int:
    """Rows moved; where the holder has the target too, the source row goes and hands its primary mark on."""
    entry = kind.id_column
    tx.execute(
        f"""
        UPDATE {rows} SET is_primary = 1
         WHERE {entry} = :target_id
           AND {holder} IN (SELECT {holder} FROM {rows} WHERE {entry} = :source_id AND is_primary = 1)
        """,
        source_id=source_id,
        target_id=target_id,
    )
    moved = tx.execute(
        f"UPDATE OR IGNORE {rows} SET {entry} = :target_id WHERE {entry} = :source_id",
        source_id=source_id,
        target_id=target_id,
    )
    tx.execute(f"DELETE FROM {rows} WHERE {entry} = :source_id", source_id=source_id)
    return moved


def _delete(kind: PlacementKind, tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id that is gone. Raises NotFound, InUse."""
    entry_id = args[kind.id_column]
    require_here(tx, kind, principal.scope, entry_id)
    count = tx.value(
        f"""
        SELECT (SELECT count(*) FROM {kind.held} WHERE {kind.id_column} = :id)
             + (SELECT count(*) FROM {kind.invited} WHERE {kind.id_column} = :id)
        """,
        id=entry_id,
    )
    use = f"{count} members or invitations have it" if count else kind.other_use(tx, entry_id)
    if use:
        raise InUse(
            f"{kind.noun} {entry_id}: {use}", details=f"assignments: {count}", hint=f"{kind.noun}.reassign first"
        )
    tx.execute(f"DELETE FROM {kind.table} WHERE id = :id", id=entry_id)
    return {"id": entry_id}
