"""What one member brings to an event: editions to sing from, with the copy in hand. Knows nobody else's loans."""

from collections.abc import Mapping, Sequence
from typing import Any

from db.clock import Moment
from db.errors import Forbidden, Invalid
from db.fields import Field, Text
from db.principal import Principal
from db.transaction import ReadTx, Row
from domain.charter import Args, Verb
from domain.choir.event.events import event_seen
from domain.choir.membership import member_here
from domain.numbering import natural_order

# For everybody, for a section of hers, or in her hands; somebody without a section here is shown all.
_EDITIONS = """
SELECT i.id AS item_id, i.work_id, w.title, e.id AS edition_id, e.name, e.edition_type, p.is_primary,
       e.file_key IS NOT NULL AS has_file, e.external_url AS link,
       EXISTS (SELECT 1 FROM physical_copies AS c WHERE c.edition_id = e.id AND c.condition <> 'lost') AS has_copies
  FROM event_works AS i
  JOIN works AS w ON w.id = i.work_id
  JOIN event_work_editions AS p ON p.event_work_id = i.id
  JOIN editions AS e ON e.id = p.edition_id
 WHERE i.event_id = :event_id AND e.deleted_at IS NULL
   AND (NOT EXISTS (SELECT 1 FROM edition_sections AS l WHERE l.edition_id = e.id)
        OR EXISTS (SELECT 1 FROM edition_sections AS l JOIN member_sections AS s ON s.section_id = l.section_id
                    WHERE l.edition_id = e.id AND s.member_id = :member_id)
        OR EXISTS (SELECT 1 FROM copy_assignments AS a JOIN physical_copies AS c ON c.id = a.copy_id
                    WHERE a.member_id = :member_id AND a.returned_at IS NULL AND c.edition_id = e.id)
        OR NOT EXISTS (SELECT 1 FROM member_sections AS s JOIN sections AS h ON h.id = s.section_id
                        WHERE s.member_id = :member_id AND h.org_id = :org_id))
 ORDER BY i.display_order, casefold(w.title), i.id, p.is_primary DESC, casefold(e.name), e.id
"""
_OWN_LOANS = f"""
SELECT c.edition_id, c.copy_number, c.condition, a.assigned_at
  FROM copy_assignments AS a JOIN physical_copies AS c ON c.id = a.copy_id
 WHERE a.member_id = :member_id AND a.returned_at IS NULL
 ORDER BY {natural_order("c.copy_number")}
"""


def what_to_bring(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """`entries` in programme order and their `summary`; of the caller unless the librarian desk asks for another.

    Raises NotFound, Forbidden, Invalid for a token that names nobody.
    """
    member_id = args.get("member_id") or principal.id
    if member_id is None:
        raise Invalid("member_id: required from a token that is no person", field="member_id")
    event = event_seen(tx, principal.scope, args["event_id"])
    member_here(tx, principal.scope, member_id)
    if member_id != principal.id and not principal.may("desk:librarian"):
        raise Forbidden("only the person or the librarian desk sees what somebody brings")
    editions = tx.rows(_EDITIONS, event_id=event["id"], member_id=member_id, org_id=principal.scope)
    loans = tx.rows(_OWN_LOANS, member_id=member_id)
    entries = [_entry(row, [loan for loan in loans if loan["edition_id"] == row["edition_id"]]) for row in editions]
    return {"entries": entries, "summary": summarise(entries)}


def _entry(edition: Row, loans: Sequence[Row]) -> dict[str, Any]:
    """The edition with the member's own copy of it: the first of her loans, which come by number."""
    entry = dict(edition) | {"is_primary": bool(edition["is_primary"]), "has_file": bool(edition["has_file"])}
    lent = next(iter(loans), None)
    entry["copy"] = lent and {
        "number": lent["copy_number"],
        "condition": lent["condition"],
        "since": lent["assigned_at"],
    }
    holds_one = any(loan["condition"] != "lost" for loan in loans)
    entry["needs_copy"] = bool(entry.pop("has_copies")) and not holds_one
    return entry


def summarise(entries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many works, editions, own copies and files there are, and how many editions she lacks a copy of."""
    return {
        "works": len({entry["work_id"] for entry in entries}),
        "editions": len(entries),
        "copies_assigned": sum(entry["copy"] is not None for entry in entries),
        "digital_available": sum(entry["has_file"] for entry in entries),
        "warnings": sum(entry["needs_copy"] for entry in entries),
    }


_PARAMS: dict[str, Field] = {"event_id": Text(required=True), "member_id": Text()}

VERBS = (
    Verb(
        "materials.what_to_bring",
        what_to_bring,
        False,
        "What a member sings from at an event, and which copy she has.",
        ("member",),
        _PARAMS,
    ),
)
