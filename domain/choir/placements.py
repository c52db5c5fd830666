"""Placing people in voices and sections: both follow the same rules. Knows one kind at a time; judges no caller."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from db.clock import Moment
from db.errors import NotFound
from db.fields import Field, Text
from db.transaction import ReadTx, WriteTx
from domain.choir.several import Several
from domain.errors import Duplicate, Inactive

# How a call names voices and sections: by id, or by name as people write them into a file.
PLACEMENT_PARAMS: dict[str, Field] = {
    "voice_ids": Several(Text()),
    "section_ids": Several(Text()),
    "voices": Several(Text()),
    "sections": Several(Text()),
}


def _nothing_else(tx: ReadTx, entry_id: str) -> str | None:
    """No further use."""
    return None


def _no_links(tx: WriteTx, source_id: str, target_id: str) -> None:
    """No links to move."""


@dataclass(frozen=True, slots=True)
class PlacementKind:
    """Voices or sections: the names of their tables and columns.

    noun: of one entry. table: its entries. held: members in it. invited: invitations naming it. id_column: in both.
    since: the column of `held` with the moment of assignment.
    other_use: says what else keeps an entry from being deleted, or None. move_links: moves what else points to it.
    """

    noun: LiteralString
    table: LiteralString
    held: LiteralString
    invited: LiteralString
    id_column: LiteralString
    since: LiteralString
    other_use: Callable[[ReadTx, str], str | None] = _nothing_else
    move_links: Callable[[WriteTx, str, str], None] = _no_links


def require_here(tx: ReadTx, kind: PlacementKind, org_id: str, entry_id: str) -> None:
    """Raise NotFound unless the entry is of this organization."""
    if tx.value(f"SELECT 1 FROM {kind.table} WHERE id = :id AND org_id = :org_id", id=entry_id, org_id=org_id) is None:
        raise NotFound(f"{kind.noun} {entry_id}: not in this organization", field=kind.id_column)


def require_open(tx: ReadTx, kind: PlacementKind, org_id: str, entry_id: str) -> None:
    """Raise NotFound unless the entry is of this organization, Inactive when it takes no new assignments."""
    require_here(tx, kind, org_id, entry_id)
    if not tx.value(f"SELECT is_active FROM {kind.table} WHERE id = :id", id=entry_id):
        raise Inactive(f"{kind.noun} {entry_id} is deactivated; activate it first", field=kind.id_column)


def _entries_named(tx: ReadTx, kind: PlacementKind, org_id: str, names: Iterable[str]) -> list[str]:
    """The ids of the entries with these names, ignoring case. Raises NotFound for the first unknown name."""
    ids: list[str] = []
    for name in names:
        found = tx.value(
            f"SELECT id FROM {kind.table} WHERE org_id = :org_id AND casefold(name) = casefold(:name)",
            org_id=org_id,
            name=name,
        )
        if found is None:
            raise NotFound(f"{kind.noun} {name!r}: this organization has none of that name", field=kind.table)
        ids.append(found)
    return ids


def wanted_entries(tx: WriteTx, kind: PlacementKind, org_id: str, args: Mapping[str, Any]) -> list[str]:
    """The ids asked for by id (`voice_ids`) or name (`voices`), each once. Raises NotFound, Inactive."""
    by_id: list[str] = args.get(f"{kind.noun}_ids") or []
    by_name = _entries_named(tx, kind, org_id, args.get(kind.table) or [])
    wanted = list(dict.fromkeys([*by_id, *by_name]))
    for entry_id in wanted:
        require_open(tx, kind, org_id, entry_id)
    return wanted


def primary_of(tx: ReadTx, kind: PlacementKind, org_id: str, member_id: str) -> str | None:
    """The id of the member's primary entry of this kind in the organization."""
    found: str | None = tx.value(
        f"""
        SELECT p.{kind.id_column} FROM {kind.held} AS p JOIN {kind.table} AS e ON e.id = p.{kind.id_column}
         WHERE p.member_id = :member_id AND e.org_id = :org_id AND p.is_primary = 1
        """,
        member_id=member_id,
        org_id=org_id,
    )
    return found


def held_here(tx: ReadTx, kind: PlacementKind, org_id: str, member_id: str) -> frozenset[str]:
    """The ids of the member's entries of this kind in the organization."""
    rows = tx.rows(
        f"""
        SELECT p.{kind.id_column} FROM {kind.held} AS p JOIN {kind.table} AS e ON e.id = p.{kind.id_column}
         WHERE p.member_id = :member_id AND e.org_id = :org_id
        """,
        member_id=member_id,
        org_id=org_id,
    )
    return frozenset(row[0] for row in rows)


def place(
    tx: WriteTx,
    kind: PlacementKind,
    member_id: str,
    entry_id: str,
    *,
    primary: bool,
    assigned_by: str | None,
    now: Moment,
    notes: str | None = None,
) -> None:
    """Put the member into the entry. Raises Duplicate when already there."""
    added = tx.execute(
        f"""
        INSERT INTO {kind.held} (member_id, {kind.id_column}, is_primary, {kind.since}, assigned_by, notes)
        VALUES (:member_id, :entry_id, :is_primary, :since, :assigned_by, :notes) ON CONFLICT DO NOTHING
        """,
        member_id=member_id,
        entry_id=entry_id,
        is_primary=int(primary),
        since=now.text,
        assigned_by=assigned_by,
        notes=notes,
    )
    if not added:
        raise Duplicate(f"the member has this {kind.noun} already", hint="use member.make_primary to mark it")


def mark_primary(tx: WriteTx, kind: PlacementKind, member_id: str, entry_id: str) -> bool:
    """Whether the member has the entry; if so it is primary now, and a trigger has cleared the others here."""
    changed = tx.execute(
        f"UPDATE {kind.held} SET is_primary = 1 WHERE member_id = :member_id AND {kind.id_column} = :entry_id",
        member_id=member_id,
        entry_id=entry_id,
    )
    return bool(changed)


def remove(tx: WriteTx, kind: PlacementKind, member_id: str, entry_id: str) -> bool:
    """Whether the member had the entry; no other becomes primary in its stead."""
    removed = tx.execute(
        f"DELETE FROM {kind.held} WHERE member_id = :member_id AND {kind.id_column} = :entry_id",
        member_id=member_id,
        entry_id=entry_id,
    )
    return bool(removed)
