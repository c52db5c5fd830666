"""Reports about a programme's copies: who lacks one, and who has one to give back. Knows picks; plans nothing."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from db.clock import Moment
from db.errors import Invalid
from db.fields import Field, Text
from db.principal import Principal
from db.transaction import ReadTx, Row
from domain.charter import Args, Verb
from domain.choir.event.events import event_here
from domain.choir.season.seasons import season_here
from domain.numbering import natural_order

# One line for each registered member and picked edition that lists a section of hers, while she has no copy that is not
# lost. The line shows her primary section if it is listed, else the first. Editions for everybody make no line.
_MISSING = """
WITH picked (edition_id) AS MATERIALIZED (
    SELECT p.edition_id FROM season_works AS i JOIN season_work_editions AS p ON p.season_work_id = i.id
     WHERE i.season_id = :season_id
     UNION
    SELECT p.edition_id FROM event_works AS i JOIN event_work_editions AS p ON p.event_work_id = i.id
     WHERE i.event_id = :event_id),
     lacking AS (
    SELECT e.id AS edition_id, e.name AS edition, w.id AS work_id, w.title AS work, m.id AS member_id,
           coalesce(o.nickname, m.nickname, m.name) AS member, s.id AS section_id, s.name AS section, s.display_order,
           row_number() OVER (PARTITION BY e.id, m.id ORDER BY h.is_primary DESC, s.display_order, s.name) AS place
      FROM picked
      JOIN editions AS e ON e.id = picked.edition_id AND e.deleted_at IS NULL
      JOIN works AS w ON w.id = e.work_id
      JOIN edition_sections AS l ON l.edition_id = e.id
      JOIN sections AS s ON s.id = l.section_id
      JOIN member_sections AS h ON h.section_id = l.section_id
      JOIN members AS m ON m.id = h.member_id AND m.email_id IS NOT NULL
      JOIN member_organizations AS o ON o.member_id = m.id AND o.org_id = w.org_id
     WHERE w.org_id = :org_id
       AND NOT EXISTS (
        SELECT 1 FROM copy_assignments AS a JOIN physical_copies AS c ON c.id = a.copy_id
         WHERE a.member_id = m.id AND a.returned_at IS NULL AND c.edition_id = e.id AND c.condition <> 'lost'))
SELECT edition_id, edition, work_id, work, member_id, member, section_id, section
  FROM lacking
 WHERE place = 1
 ORDER BY casefold(work), work_id, casefold(edition), edition_id, display_order, casefold(section), casefold(member),
          member_id
"""


def missing(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """`lines` of member and edition, `total_missing` and `edition_count`, for an event or a season.

    Raises NotFound, Invalid unless one of the two is given.
    """
    season_id, event_id = args.get("season_id"), args.get("event_id")
    if (season_id is None) == (event_id is None):
        raise Invalid("season_id: give either a season or an event", field="season_id")
    if season_id is not None:
        season_here(tx, principal.scope, season_id)
    else:
        event_here(tx, principal.scope, str(event_id))
    rows = tx.rows(_MISSING, season_id=season_id, event_id=event_id, org_id=principal.scope)
    editions = {row["edition_id"] for row in rows}
    return {"total_missing": len(rows), "edition_count": len(editions), "lines": [dict(row) for row in rows]}


_LATEST = "SELECT id FROM seasons WHERE org_id = :org_id ORDER BY start_date DESC LIMIT 1"

# A former member has no nickname here any more and is asked all the same. An edition picked twice is asked for once.
_COLLECTION = f"""
SELECT a.id AS assignment_id, a.copy_id, c.copy_number, c.condition, e.id AS edition_id, e.name AS edition,
       w.id AS work_id, w.title AS work, a.assigned_at, a.member_id,
       coalesce(o.nickname, m.nickname, m.name) AS member, o.member_id IS NULL AS former_member
  FROM (SELECT DISTINCT p.edition_id FROM season_works AS i JOIN season_work_editions AS p ON p.season_work_id = i.id
         WHERE i.season_id = :season_id) AS picked
  JOIN editions AS e ON e.id = picked.edition_id
  JOIN works AS w ON w.id = e.work_id
  JOIN physical_copies AS c ON c.edition_id = e.id
  JOIN copy_assignments AS a ON a.copy_id = c.id AND a.returned_at IS NULL
  JOIN members AS m ON m.id = a.member_id
  LEFT JOIN member_organizations AS o ON o.member_id = m.id AND o.org_id = w.org_id
 WHERE w.org_id = :org_id
 ORDER BY casefold(member), m.id, casefold(w.title), w.id, casefold(e.name), e.id, {natural_order("c.copy_number")}
"""
_OF_MEMBER = ("member_id", "member", "former_member")


def collection(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """What is still out of a season's repertoire: `members` with their `loans`, `total_outstanding`, `member_count`.

    Without a season: the one that starts last; an organization without any has nothing to collect. Raises NotFound.
    """
    season_id = args.get("season_id")
    if season_id is None:
        season_id = tx.value(_LATEST, org_id=principal.scope)
    else:
        season_here(tx, principal.scope, season_id)
    rows = tx.rows(_COLLECTION, season_id=season_id, org_id=principal.scope)
    members = _by_member(rows)
    return {
        "season_id": season_id,
        "total_outstanding": len(rows),
        "member_count": len(members),
        "members": members,
    }


def _by_member(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows, which are in order of members, as one entry each with its loans."""
    groups: list[dict[str, Any]] = []
    for _, group in groupby(rows, key=lambda row: row["member_id"]):
        loans = [dict(row) for row in group]
        first = {name: loans[0][name] for name in _OF_MEMBER}
        lines = [{name: value for name, value in loan.items() if name not in _OF_MEMBER} for loan in loans]
        groups.append(first | {"former_member": bool(first["former_member"]), "loans": lines})
    return groups


_DESK = ("desk:librarian",)
_SEASON: dict[str, Field] = {"season_id": Text()}

VERBS = (
    Verb(
        "report.missing",
        missing,
        False,
        "Who lacks a copy for an event or a season.",
        _DESK,
        {**_SEASON, "event_id": Text()},
    ),
    Verb("report.collection", collection, False, "What is still out of a season's repertoire.", _DESK, _SEASON),
)
