"""Loans of paper copies: assign, return, history, holders. Knows who has what; not how copies are numbered."""

from collections.abc import Iterable
from typing import Any, Literal

from db.clock import Moment
from db.errors import Forbidden, Invalid, NotFound
from db.fields import TEXT_CHARACTERS, Field, ListOf, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.charter import Args, Verb
from domain.choir.editions import edition_here
from domain.choir.library.copies import copy_here
from domain.choir.membership import member_here
from domain.errors import AlreadyReturned, CopyLost, CopyOnLoan
from domain.numbering import natural_order

BULK_LOANS = 500


def decide_loan(condition: str, *, is_out: bool) -> Literal["lend", "out", "lost"]:
    """Whether a copy can be lent, else why not. A lost copy that is out is out first: somebody can be asked for it."""
    if is_out:
        return "out"
    return "lost" if condition == "lost" else "lend"


# The index of open loans decides, not the look before it.
_LEND = """
INSERT INTO copy_assignments (id, copy_id, member_id, assigned_at, assigned_by, notes, created_at)
VALUES (:id, :copy_id, :member_id, :now, :assigned_by, :notes, :now)
    ON CONFLICT (copy_id) WHERE returned_at IS NULL DO NOTHING
"""


def assign(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new loan; `warning` is `section_mismatch` when the edition is meant for sections the holder is not in.

    Raises NotFound for the copy or a member of another organization, CopyOnLoan, CopyLost.
    """
    copy = copy_here(tx, principal.scope, args["copy_id"])
    member = member_here(tx, principal.scope, args["member_id"])
    is_out = tx.value("SELECT 1 FROM copy_assignments WHERE copy_id = :id AND returned_at IS NULL", id=copy["id"])
    out = CopyOnLoan(f"copy {copy['copy_number']}: out already; let it be returned first", field="copy_id")
    decision = decide_loan(copy["condition"], is_out=is_out is not None)
    if decision == "out":
        raise out
    if decision == "lost":
        raise CopyLost(f"copy {copy['copy_number']}: lost; set its condition once it is found", field="copy_id")
    loan = {"id": now.new_id(), "copy_id": copy["id"], "member_id": member["id"], "notes": args.get("notes")}
    if not tx.execute(_LEND, **loan, assigned_by=principal.id, now=now.text):
        raise out
    matches = stands_in_a_section(tx, copy["edition_id"], member["id"])
    warning = None if matches else "section_mismatch"
    return {**loan, "assigned_at": now.text, "assigned_by": principal.id, "warning": warning}


_STANDS = """
SELECT NOT EXISTS (SELECT 1 FROM edition_sections WHERE edition_id = :edition_id)
    OR EXISTS (SELECT 1 FROM edition_sections AS l JOIN member_sections AS p ON p.section_id = l.section_id
                WHERE l.edition_id = :edition_id AND p.member_id = :member_id)
"""


def stands_in_a_section(tx: ReadTx, edition_id: str, member_id: str) -> bool:
    """Whether the edition is for everybody, or for a section the member stands in."""
    return bool(tx.value(_STANDS, edition_id=edition_id, member_id=member_id))


_LOAN_HERE = """
SELECT a.id, a.copy_id, a.returned_at
  FROM copy_assignments AS a JOIN physical_copies AS c ON c.id = a.copy_id
  JOIN editions AS e ON e.id = c.edition_id JOIN works AS w ON w.id = e.work_id
 WHERE a.id = :id AND w.org_id = :org_id
"""


def give_back(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The closed loan. Raises NotFound, Invalid for a loan of another copy, AlreadyReturned."""
    copy = copy_here(tx, principal.scope, args["copy_id"])
    loan = tx.row(_LOAN_HERE, id=args["assignment_id"], org_id=principal.scope)
    if loan is None:
        raise NotFound(f"loan {args['assignment_id']}: not in this library", field="assignment_id")
    if loan["copy_id"] != copy["id"]:
        raise Invalid(f"loan {loan['id']}: is of another copy than {copy['copy_number']}", field="assignment_id")
    if loan["returned_at"] is not None:
        raise AlreadyReturned(f"loan {loan['id']}: returned at {loan['returned_at']}", field="assignment_id")
    tx.execute("UPDATE copy_assignments SET returned_at = :now WHERE id = :id", id=loan["id"], now=now.text)
    return {"id": loan["id"], "copy_id": copy["id"], "returned_at": now.text}


_GIVE_BACK = """
UPDATE copy_assignments SET returned_at = :now
 WHERE id = :id AND returned_at IS NULL
   AND copy_id IN (SELECT c.id FROM physical_copies AS c JOIN editions AS e ON e.id = c.edition_id
                     JOIN works AS w ON w.id = e.work_id
                    WHERE c.id = copy_assignments.copy_id AND w.org_id = :org_id)
"""


def bulk_return(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many loans were closed; unknown, foreign and closed ones are passed over."""
    ids = dict.fromkeys(args["assignment_ids"])
    closed = sum(tx.execute(_GIVE_BACK, id=loan_id, org_id=principal.scope, now=now.text) for loan_id in ids)
    return {"returned": closed}


# Display name = nickname here, else nickname, else name. A former member has no nickname here any more.
_LOANS = """
SELECT a.id, a.copy_id, c.copy_number, c.condition, c.edition_id, e.name AS edition, w.id AS work_id, w.title AS work,
       a.member_id, coalesce(o.nickname, m.nickname, m.name) AS holder, o.member_id IS NULL AS former_member,
       a.assigned_at, a.assigned_by, coalesce(g.nickname, by.nickname, by.name) AS assigner, a.returned_at, a.notes,
       a.created_at
  FROM copy_assignments AS a
  JOIN physical_copies AS c ON c.id = a.copy_id
  JOIN editions AS e ON e.id = c.edition_id
  JOIN works AS w ON w.id = e.work_id
  JOIN members AS m ON m.id = a.member_id
  LEFT JOIN member_organizations AS o ON o.member_id = m.id AND o.org_id = w.org_id
  LEFT JOIN members AS by ON by.id = a.assigned_by
  LEFT JOIN member_organizations AS g ON g.member_id = by.id AND g.org_id = w.org_id
 WHERE w.org_id = :org_id
"""
_OF_COPY = f"{_LOANS} AND a.copy_id = :id ORDER BY a.assigned_at DESC, a.id DESC"
_OF_EDITION = f"{_LOANS} AND c.edition_id = :id ORDER BY a.assigned_at DESC, a.id DESC"
_OUT = f"{_LOANS} AND c.edition_id = :id AND a.returned_at IS NULL ORDER BY {natural_order('c.copy_number')}"
_HELD = f"""
{_LOANS} AND a.member_id = :id AND a.returned_at IS NULL
 ORDER BY casefold(w.title), casefold(e.name), {natural_order("c.copy_number")}
"""


def _shown(rows: Iterable[Row]) -> list[dict[str, Any]]:
    return [dict(row) | {"former_member": bool(row["former_member"])} for row in rows]


def history(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Every loan of a copy, or of all copies of an edition, newest first. Raises NotFound, Invalid."""
    copy_id, edition_id = args.get("copy_id"), args.get("edition_id")
    if (copy_id is None) == (edition_id is None):
        raise Invalid("copy_id: give either a copy or an edition", field="copy_id")
    if copy_id is not None:
        copy_here(tx, principal.scope, copy_id)
        return _shown(tx.rows(_OF_COPY, id=copy_id, org_id=principal.scope))
    edition_here(tx, principal.scope, str(edition_id))
    return _shown(tx.rows(_OF_EDITION, id=edition_id, org_id=principal.scope))


def holders(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The open loans of an edition by copy number. Raises NotFound."""
    edition_here(tx, principal.scope, args["edition_id"])
    return _shown(tx.rows(_OUT, id=args["edition_id"], org_id=principal.scope))


def copies_of_member(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """What a member has, by work, edition and copy number. Raises NotFound, Forbidden for somebody else's."""
    member_id = args["member_id"]
    if principal.id != member_id and not principal.may("desk:librarian"):
        raise Forbidden("what somebody has at home is for the person and the librarian desk")
    member_here(tx, principal.scope, member_id)
    return _shown(tx.rows(_HELD, id=member_id, org_id=principal.scope))


_DESK = ("desk:librarian",)
_COPY: dict[str, Field] = {"copy_id": Text(required=True)}
_EDITION: dict[str, Field] = {"edition_id": Text(required=True)}
_MEMBER: dict[str, Field] = {"member_id": Text(required=True)}
_LOAN: dict[str, Field] = {**_COPY, **_MEMBER, "notes": Text(max_characters=TEXT_CHARACTERS)}
_ROWS = "copy_assignments"
_IDS: dict[str, Field] = {"assignment_ids": ListOf(Text(), required=True, maximum=BULK_LOANS)}

VERBS = (
    Verb("copy.assign", assign, True, "Lend a copy to a member.", _DESK, _LOAN),
    Verb("copy.return", give_back, True, "Take a copy back.", _DESK, {**_COPY, "assignment_id": Text(required=True)}),
    Verb("copy.bulk_return", bulk_return, True, "Take up to 500 copies back.", _DESK, _IDS),
    Verb(
        "copy.history",
        history,
        False,
        "Every loan of a copy or of an edition, newest first.",
        _DESK,
        {"copy_id": Text(), "edition_id": Text()},
        _ROWS,
    ),
    Verb("copy.holders", holders, False, "Who has the copies of an edition.", _DESK, _EDITION, _ROWS),
    Verb("member.copies", copies_of_member, False, "The copies a member has.", ("member",), _MEMBER, _ROWS),
)
