"""Copies, loans and complaints over REST: who reads which rows. Data only; every change of theirs is a verb."""

from db.resources import Policy, Resource

_EDITION_HERE = (
    "edition_id IN (SELECT e.id FROM main.editions AS e JOIN main.works AS w ON w.id = e.work_id"
    " WHERE w.org_id = :scope)"
)
_EDITION_UP = _EDITION_HERE.replace(":scope", ":scope AND e.deleted_at IS NULL")
_COPY_HERE = (
    "copy_id IN (SELECT c.id FROM main.physical_copies AS c JOIN main.editions AS e ON e.id = c.edition_id"
    " JOIN main.works AS w ON w.id = e.work_id WHERE w.org_id = :scope)"
)

SHELVES: tuple[Resource, ...] = (
    Resource(
        "physical_copies",
        read=(Policy("desk:librarian", _EDITION_HERE), Policy("member", _EDITION_UP, unless="desk:librarian")),
    ),
    # What somebody has at home is for the person and the librarian desk.
    Resource(
        "copy_assignments",
        read=(
            Policy("desk:librarian", _COPY_HERE),
            Policy("member", f"member_id = :principal_id AND {_COPY_HERE}", unless="desk:librarian"),
        ),
    ),
    Resource(
        "takedowns",
        read=(Policy("takedowns:process", "org_id = :scope"),),
        personal=frozenset({"claimant_name", "claimant_email"}),
    ),
)
