"""Copyright complaints about editions: submit, list, process. Knows complaints and desks; sends no mail itself."""

from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.errors import Invalid, NotFound
from db.fields import TEXT_CHARACTERS, Choice, Email, Field, Text
from db.outbox import enqueue
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.charter import Args, Verb
from domain.choir.editions import edition_here
from domain.errors import AlreadyProcessed

STATUSES = ("pending", "approved", "rejected")
ACTIONS = {"approve": "approved", "reject": "rejected"}


@dataclass(frozen=True, slots=True)
class Attested:
    """Exactly true: neither 1 nor the word is a signature."""

    required: bool = True

    def parse(self, value: Any, name: str) -> int:
        """1."""
        if value is not True:
            raise Invalid(f"{name}: got {value!r}, wanted true: the complaint has to be attested", field=name)
        return 1


COMPLAINT: dict[str, Field] = {
    "edition_id": Text(required=True),
    "claimant_name": Text(required=True),
    "claimant_email": Email(required=True),
    "reason": Text(required=True, max_characters=TEXT_CHARACTERS),
    "attestation": Attested(),
}
_SUBMIT = """
INSERT INTO takedowns (id, org_id, edition_id, claimant_name, claimant_email, reason, attestation, created_at)
VALUES (:id, :org_id, :edition_id, personal_seal('takedowns.claimant_name', :claimant_name),
        personal_seal('takedowns.claimant_email', :claimant_email), :reason, :attestation, :now)
"""


def submit(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id and status of the new complaint; admins and owners get a mail. Raises Invalid, NotFound."""
    edition = edition_here(tx, principal.scope, args["edition_id"])
    if edition["deleted_at"] is not None:
        raise NotFound(f"edition {edition['id']}: not in this library", field="edition_id")
    complaint_id = now.new_id()
    tx.execute(_SUBMIT, id=complaint_id, org_id=principal.scope, now=now.text, **args)
    _notify(tx, principal.scope, edition, now)
    return {"id": complaint_id, "status": "pending"}


_DESK_MAIL = """
SELECT DISTINCT m.id, coalesce(personal_open('members.email_contact', m.email_contact),
                               personal_open('members.email_id', m.email_id)) AS address,
       o.name AS organization
  FROM member_roles AS r JOIN members AS m ON m.id = r.member_id JOIN organizations AS o ON o.id = r.org_id
 WHERE r.org_id = :org_id AND r.role IN ('owner', 'admin') AND m.email_id IS NOT NULL
 ORDER BY m.id
"""


def _notify(tx: WriteTx, org_id: str, edition: Row, now: Moment) -> None:
    """Ask every registered admin and owner to look. The mail names the edition, not the person who complains."""
    work = tx.value("SELECT title FROM works WHERE id = :id", id=edition["work_id"])
    for person in tx.rows(_DESK_MAIL, org_id=org_id):
        mail = {
            "to": person["address"],
            "subject": f"{person['organization']}: a copyright complaint",
            "text": (
                f"Somebody asks {person['organization']} to take down the edition {edition['name']!r} of {work!r}.\n"
                "Sign in, read the complaint and approve or reject it.\n"
            ),
        }
        enqueue(tx, "mail", mail, now)


_COMPLAINTS = """
SELECT t.id, t.edition_id, e.name AS edition, w.title AS work, t.status, t.reason, t.attestation, t.created_at,
       personal_open('takedowns.claimant_name', t.claimant_name) AS claimant_name,
       personal_open('takedowns.claimant_email', t.claimant_email) AS claimant_email,
       t.processed_at, t.processed_by, coalesce(o.nickname, m.nickname, m.name) AS processor, t.resolution_notes,
       e.deleted_at
  FROM takedowns AS t JOIN editions AS e ON e.id = t.edition_id JOIN works AS w ON w.id = e.work_id
  LEFT JOIN members AS m ON m.id = t.processed_by
  LEFT JOIN member_organizations AS o ON o.member_id = m.id AND o.org_id = t.org_id
 WHERE t.org_id = :org_id AND (:id IS NULL OR t.id = :id) AND (:status IS NULL OR t.status = :status)
 ORDER BY t.created_at DESC, t.id DESC
"""


def _complaints(
    tx: ReadTx, principal: Principal, *, complaint_id: str | None = None, status: str | None = None
) -> list[dict[str, Any]]:
    return [dict(row) for row in tx.rows(_COMPLAINTS, org_id=principal.scope, id=complaint_id, status=status)]


def list_complaints(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """This organization's complaints, newest first, of one status or of all."""
    return _complaints(tx, principal, status=args.get("status"))


_PROCESS = """
UPDATE takedowns SET status = :status, processed_at = :now, processed_by = :by, resolution_notes = :notes WHERE id = :id
"""
# The first approval is the moment; approving a second complaint about the edition changes nothing more.
_TAKE_DOWN = "UPDATE editions SET deleted_at = :now WHERE id = :id AND deleted_at IS NULL"


def process(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The complaint as it is decided; approving takes the edition down for good. Raises NotFound, AlreadyProcessed."""
    complaint_id = args["id"]
    found = _complaints(tx, principal, complaint_id=complaint_id)
    if not found:
        raise NotFound(f"complaint {complaint_id}: not in this organization", field="id")
    if found[0]["status"] != "pending":
        raise AlreadyProcessed(f"complaint {complaint_id}: {found[0]['status']} at {found[0]['processed_at']}")
    status = ACTIONS[args["action"]]
    tx.execute(_PROCESS, id=complaint_id, status=status, now=now.text, by=principal.id, notes=args.get("notes"))
    if status == "approved":
        tx.execute(_TAKE_DOWN, id=found[0]["edition_id"], now=now.text)
    return _complaints(tx, principal, complaint_id=complaint_id)[0]


_PERMISSION = ("takedowns:process",)

VERBS = (
    Verb(
        "takedown.submit",
        submit,
        True,
        "Complain that an edition breaks a copyright.",
        (),
        COMPLAINT,
        throttled=True,
    ),
    Verb(
        "takedown.list", list_complaints, False, "Complaints, newest first.", _PERMISSION, {"status": Choice(STATUSES)}
    ),
    Verb(
        "takedown.process",
        process,
        True,
        "Approve or reject a complaint.",
        _PERMISSION,
        {
            "id": Text(required=True),
            "action": Choice(tuple(ACTIONS), required=True),
            "notes": Text(max_characters=TEXT_CHARACTERS),
        },
    ),
)
