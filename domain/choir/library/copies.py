"""Paper copies of editions: list, add one or a batch, edit, delete. Knows numbers and conditions; lends nothing."""

from typing import Any

from db.clock import Moment
from db.errors import Invalid, NotFound
from db.fields import NAME_CHARACTERS, TEXT_CHARACTERS, Choice, Day, Field, Integer, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.charter import Args, Verb
from domain.choir.editions import edition_here, require_seen
from domain.errors import Duplicate
from domain.numbering import batch_numbers, natural_order, next_number, parse_prefix
from domain.partial_update import changeable, changes, refuse_null

CONDITIONS = ("good", "fair", "poor", "lost")
BATCH_COPIES = 100
COPY_FIELDS: dict[str, Field] = {
    "condition": Choice(CONDITIONS),
    "acquired_at": Day(),
    "notes": Text(max_characters=TEXT_CHARACTERS),
}
_DEFAULTED = frozenset({"condition"})

# An open loan shows to the librarian desk and to the holder; to anybody else a copy that is out looks like any other.
_COPIES = f"""
SELECT c.id, c.edition_id, c.copy_number, c.condition, c.acquired_at, c.notes, c.created_at,
       a.id AS assignment_id, a.member_id, a.assigned_at, coalesce(o.nickname, m.nickname, m.name) AS holder
  FROM physical_copies AS c
  LEFT JOIN copy_assignments AS a ON a.copy_id = c.id AND a.returned_at IS NULL AND (:desk OR a.member_id = :caller_id)
  LEFT JOIN members AS m ON m.id = a.member_id
  LEFT JOIN member_organizations AS o ON o.member_id = m.id AND o.org_id = :org_id
 WHERE c.edition_id = :edition_id AND (:id IS NULL OR c.id = :id)
 ORDER BY {natural_order("c.copy_number")}
"""


def _copies(tx: ReadTx, principal: Principal, edition_id: str, copy_id: str | None = None) -> list[dict[str, Any]]:
    rows = tx.rows(
        _COPIES,
        desk=int(principal.may("desk:librarian")),
        caller_id=principal.id,
        org_id=principal.scope,
        edition_id=edition_id,
        id=copy_id,
    )
    return [dict(row) for row in rows]


def list_copies(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The copies of an edition by number, with the open loan of each as far as the caller may see it."""
    require_seen(tx, principal, args["edition_id"])
    return _copies(tx, principal, args["edition_id"])


_HERE = """
SELECT c.* FROM physical_copies AS c JOIN editions AS e ON e.id = c.edition_id JOIN works AS w ON w.id = e.work_id
 WHERE c.id = :id AND w.org_id = :org_id
"""


def copy_here(tx: ReadTx, org_id: str, copy_id: str) -> Row:
    """The copy in this organization's library. Raises NotFound."""
    found = tx.row(_HERE, id=copy_id, org_id=org_id)
    if found is None:
        raise NotFound(f"copy {copy_id}: not in this library", field="copy_id")
    return found


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """One copy as in the list. Raises NotFound."""
    copy = copy_here(tx, principal.scope, args["copy_id"])
    require_seen(tx, principal, copy["edition_id"])
    return _copies(tx, principal, copy["edition_id"], copy["id"])[0]


_ADD = """
INSERT INTO physical_copies (id, edition_id, copy_number, condition, acquired_at, notes, created_at)
VALUES (:id, :edition_id, :copy_number, :condition, :acquired_at, :notes, :created_at)
    ON CONFLICT (edition_id, copy_number) DO NOTHING
"""


def _add(tx: WriteTx, edition_id: str, number: str, args: Args, now: Moment) -> str:
    """The id of the new copy. Raises Duplicate when the edition has a copy of that number."""
    copy_id = now.new_id()
    added = tx.execute(
        _ADD,
        id=copy_id,
        edition_id=edition_id,
        copy_number=number,
        condition=args.get("condition", "good"),
        acquired_at=args.get("acquired_at"),
        notes=args.get("notes"),
        created_at=now.text,
    )
    if not added:
        raise Duplicate(f"copy_number: the edition has a copy {number} already", field="copy_number")
    return copy_id


def add(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new copy. Raises NotFound, Duplicate, Invalid."""
    refuse_null(args, _DEFAULTED)
    edition = edition_here(tx, principal.scope, args["edition_id"])
    copy_id = _add(tx, edition["id"], args["copy_number"], args, now)
    return _copies(tx, principal, edition["id"], copy_id)[0]


def add_batch(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Id and number of every new copy, in order. Raises NotFound, Duplicate, Invalid; then none is made."""
    refuse_null(args, _DEFAULTED)
    edition = edition_here(tx, principal.scope, args["edition_id"])
    prefix, start = parse_prefix(args.get("prefix")), args.get("start_number")
    if start is None:
        taken = tx.rows("SELECT copy_number FROM physical_copies WHERE edition_id = :id", id=edition["id"])
        start = next_number((row[0] for row in taken), prefix)
    numbers = batch_numbers(prefix, start, args["count"])
    if len(numbers[-1]) > NAME_CHARACTERS:
        raise Invalid(f"copy_number: {numbers[-1]!r} has more than {NAME_CHARACTERS} characters", field="prefix")
    return [{"id": _add(tx, edition["id"], number, args, now), "copy_number": number} for number in numbers]


_UPDATE = """
UPDATE physical_copies SET condition = :condition, acquired_at = :acquired_at, notes = :notes WHERE id = :id
"""


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The copy after the change; its number stays, and so does an open loan of one that is lost. Raises NotFound."""
    old = copy_here(tx, principal.scope, args["copy_id"])
    given = changes(args, COPY_FIELDS, never_null=_DEFAULTED)
    tx.execute(_UPDATE, id=old["id"], **{name: given.get(name, old[name]) for name in COPY_FIELDS})
    return _copies(tx, principal, old["edition_id"], old["id"])[0]


def delete(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id that is gone with its closed loans. Raises NotFound; a trigger refuses a copy that is out."""
    copy = copy_here(tx, principal.scope, args["copy_id"])
    tx.execute("DELETE FROM physical_copies WHERE id = :id", id=copy["id"])
    return {"id": copy["id"]}


_MEMBER, _DESK = ("member",), ("desk:librarian",)
_EDITION: dict[str, Field] = {"edition_id": Text(required=True)}
_ONE: dict[str, Field] = {"copy_id": Text(required=True)}
_BATCH: dict[str, Field] = {
    **_EDITION,
    "count": Integer(required=True, minimum=1, maximum=BATCH_COPIES),
    "prefix": Text(),
    "start_number": Integer(minimum=0),
    "condition": COPY_FIELDS["condition"],
    "acquired_at": COPY_FIELDS["acquired_at"],
}
_ROWS = "physical_copies"
_NEW: dict[str, Field] = {**_EDITION, "copy_number": Text(required=True), **COPY_FIELDS}

VERBS = (
    Verb("copy.list", list_copies, False, "The paper copies of an edition by number.", _MEMBER, _EDITION, _ROWS),
    Verb("copy.get", get, False, "One paper copy.", _MEMBER, _ONE, _ROWS),
    Verb("copy.add", add, True, "Add one paper copy.", _DESK, _NEW, _ROWS),
    Verb("copy.add_batch", add_batch, True, "Add up to 100 numbered copies of one series.", _DESK, _BATCH),
    Verb(
        "copy.update",
        update,
        True,
        "Change a copy's condition, notes or day.",
        _DESK,
        {**_ONE, **changeable(COPY_FIELDS)},
        _ROWS,
    ),
    Verb("copy.delete", delete, True, "Delete a paper copy that is not out.", _DESK, _ONE),
)
