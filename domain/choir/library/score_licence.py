"""Who may read the file of an edition, by its licence, and why not. Knows licences and take-downs; not bytes."""

from typing import Literal

from db.clock import Moment
from db.errors import NotAuthenticated, VaultError
from db.principal import Principal
from db.transaction import ReadTx, Row
from domain.errors import TakenDown

Verdict = Literal["read", "taken_down", "sign_in", "no_file"]


def decide_reading(license_type: str, *, taken_down: bool, has_file: bool, member: bool) -> Verdict:
    """Whether somebody may read the file of an edition, else why not. What was taken down is gone for everybody."""
    if taken_down:
        return "taken_down"
    if not member and license_type != "public_domain":
        return "sign_in"
    return "read" if has_file else "no_file"


def taken_down(edition_id: str) -> TakenDown:
    """The error for whoever wants what was taken down."""
    return TakenDown(f"edition {edition_id}: taken down after a copyright complaint", field="edition_id")


def for_members(edition_id: str) -> NotAuthenticated:
    """The error for a guest who wants what is not in the public domain."""
    return NotAuthenticated(f"edition {edition_id}: for members; sign in first", field="edition_id")


# Its own library, and for members what an umbrella shares while the affiliation is active.
_IN_REACH = """
SELECT e.id, e.license_type, e.deleted_at, e.file_key
  FROM editions AS e JOIN works AS w ON w.id = e.work_id
 WHERE e.id = :id
   AND (w.org_id = :org_id
        OR (:member AND EXISTS (SELECT 1 FROM affiliations AS a
                                 WHERE a.umbrella_id = w.org_id AND a.collective_id = :org_id AND a.left_at IS NULL)))
"""


def why_unreadable(tx: ReadTx, principal: Principal, edition_id: str, now: Moment) -> VaultError | None:
    """The error for somebody who cannot read the file of an edition; None where there is simply no such file."""
    member = principal.may("scores:view")
    found: Row | None = tx.row(_IN_REACH, id=edition_id, org_id=principal.scope, member=int(member))
    if found is None:
        return None
    verdict = decide_reading(
        found["license_type"],
        taken_down=found["deleted_at"] is not None,
        has_file=found["file_key"] is not None,
        member=member,
    )
    if verdict == "taken_down":
        return taken_down(edition_id)
    return for_members(edition_id) if verdict == "sign_in" else None
