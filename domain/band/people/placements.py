"""What a member plays and where: whole lists of instruments and of sections. Knows rows; judges no caller."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from db.clock import Moment
from db.errors import Invalid
from db.fields import Field, Flag, Text, is_json_object, parse_fields
from db.transaction import WriteTx

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """Instruments or sections: the names of their tables and columns.

    table: the entries. held: members of them. id_column: of the entry in `held`. mark: the flag beside it.
    """

    table: LiteralString
    held: LiteralString
    id_column: LiteralString
    mark: LiteralString


INSTRUMENT = Kind("instruments", "member_instruments", "instrument_id", "is_primary")
SECTION = Kind("sections", "member_sections", "section_id", "is_leader")


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of such a list: its id, or an object with the id and the kind's mark, which is 0 unless given."""

    kind: Kind
    required: bool = False

    def parse(self, value: Any, name: str) -> dict[str, Any]:
        """`{"id", mark}`."""
        mark = self.kind.mark
        given = {"id": value} if isinstance(value, str) else value
        if not is_json_object(given):
            raise Invalid(f"{name}: got {value!r}, wanted an id or an object with id and {mark}", field=name)
        fields: dict[str, Field] = {"id": Text(required=True), mark: Flag()}
        parsed = parse_fields(given, fields)
        return {"id": parsed["id"], mark: parsed.get(mark) or 0}


def with_primary(items: Sequence[Item]) -> list[dict[str, Any]]:
    """The instruments with exactly one primary: the first, where none is marked. Raises Invalid for two of them."""
    marked = [item["id"] for item in items if item["is_primary"]]
    if len(marked) > 1:
        raise Invalid(f"instruments: {len(marked)} are marked as primary, wanted one", field="instruments")
    primary = marked[0] if marked else items[0]["id"] if items else None
    return [{"id": item["id"], "is_primary": int(item["id"] == primary)} for item in items]


_UNMARK = """
UPDATE member_instruments SET is_primary = 0 WHERE member_id = :id AND is_primary = 1 AND instrument_id <> :kept
"""


def put_instruments(tx: WriteTx, member_id: str, items: Sequence[Item], now: Moment) -> None:
    """Let the member play exactly these. Raises Invalid for a repeated or unknown one, or two primary ones."""
    # Marks come off first: at no moment two may be primary.
    placed = with_primary(items)
    primary = next((item["id"] for item in placed if item["is_primary"]), "")
    tx.execute(_UNMARK, id=member_id, kept=primary)
    _put(tx, INSTRUMENT, member_id, placed, now)


def put_sections(tx: WriteTx, member_id: str, items: Sequence[Item], now: Moment) -> None:
    """Let the member sit in exactly these; one that stays keeps the day of its assignment. Raises Invalid."""
    _put(tx, SECTION, member_id, items, now)


def _put(tx: WriteTx, kind: Kind, member_id: str, items: Sequence[Item], now: Moment) -> None:
    """Take away what the list no longer names, then add and mark what it does."""
    wanted = [item["id"] for item in items]
    if len(set(wanted)) != len(wanted):
        raise Invalid(f"{kind.table}: an entry is repeated", field=kind.table)
    tx.execute(
        f"DELETE FROM {kind.held}"
        f" WHERE member_id = :id AND {kind.id_column} NOT IN (SELECT value FROM json_each(:kept))",
        id=member_id,
        kept=json.dumps(wanted),
    )
    for item in items:
        if tx.value(f"SELECT 1 FROM {kind.table} WHERE id = :id", id=item["id"]) is None:
            raise Invalid(f"{kind.table}: {item['id']!r} is unknown", field=kind.table)
        tx.execute(
            f"INSERT INTO {kind.held} (id, member_id, {kind.id_column}, {kind.mark})"
            " VALUES (:id, :member_id, :entry, :mark)"
            f" ON CONFLICT (member_id, {kind.id_column}) DO UPDATE SET {kind.mark} = excluded.{kind.mark}"
            f" WHERE {kind.mark} IS NOT excluded.{kind.mark}",
            id=now.new_id(),
            member_id=member_id,
            entry=item["id"],
            mark=item[kind.mark],
        )
