"""Reports about the shelves: inventory, demand, mismatches. Knows copies, loans and sections; no repertoire."""

from typing import Any, LiteralString

from db.clock import Moment
from db.fields import Field, Text
from db.principal import Principal
from db.transaction import ReadTx
from domain.charter import Args, Verb
from domain.choir.editions import edition_here
from domain.numbering import natural_order

# A lost copy counts as lost, in somebody's hands or not; so total = lost + assigned + available.
# INDEXED BY: from this organization's works on, or the grouping makes the planner read all editions of the vault.
_INVENTORY = """
SELECT e.id AS edition_id, e.name AS edition, w.id AS work_id, w.title AS work, e.deleted_at IS NOT NULL AS taken_down,
       count(*) AS total,
       sum(c.condition = 'good') AS good, sum(c.condition = 'fair') AS fair, sum(c.condition = 'poor') AS poor,
       sum(c.condition = 'lost') AS lost,
       sum(a.id IS NOT NULL AND c.condition <> 'lost') AS assigned,
       sum(a.id IS NULL AND c.condition <> 'lost') AS available
  FROM works AS w INDEXED BY idx_works_org_id
  JOIN editions AS e ON e.work_id = w.id JOIN physical_copies AS c ON c.edition_id = e.id
  LEFT JOIN copy_assignments AS a ON a.copy_id = c.id AND a.returned_at IS NULL
 WHERE w.org_id = :org_id AND (:edition_id IS NULL OR e.id = :edition_id)
 GROUP BY e.id
 ORDER BY casefold(w.title), casefold(e.name), e.id
"""


def _lines(tx: ReadTx, sql: LiteralString, principal: Principal, args: Args) -> list[dict[str, Any]]:
    """The lines of a report about editions, of one of them or of all. Raises NotFound."""
    edition_id = args.get("edition_id")
    if edition_id is not None:
        edition_here(tx, principal.scope, edition_id)
    lines = tx.rows(sql, org_id=principal.scope, edition_id=edition_id)
    return [dict(line) | {"taken_down": bool(line["taken_down"])} for line in lines]


def inventory(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """One line for each edition with copies, by work title and edition name: what there is, in which condition, where.

    Raises NotFound for an edition of another organization.
    """
    return _lines(tx, _INVENTORY, principal, args)


# An edition that lists no section is for all members; one in two listed sections counts once.
_DEMAND = """
WITH everybody (number) AS MATERIALIZED (SELECT count(*) FROM member_organizations WHERE org_id = :org_id),
     wanted (edition_id, work, edition, work_id, taken_down, needed, total, usable) AS (
    SELECT e.id, w.title, e.name, w.id, e.deleted_at IS NOT NULL,
           iif(EXISTS (SELECT 1 FROM edition_sections WHERE edition_id = e.id),
               (SELECT count(DISTINCT p.member_id)
                  FROM edition_sections AS l JOIN member_sections AS p ON p.section_id = l.section_id
                 WHERE l.edition_id = e.id),
               (SELECT number FROM everybody)),
           (SELECT count(*) FROM physical_copies WHERE edition_id = e.id),
           (SELECT count(*) FROM physical_copies WHERE edition_id = e.id AND condition <> 'lost')
      FROM works AS w JOIN editions AS e ON e.work_id = w.id
     WHERE w.org_id = :org_id AND (:edition_id IS NULL OR e.id = :edition_id))
SELECT edition_id, edition, work_id, work, taken_down, needed, total, usable, max(0, needed - usable) AS shortage
  FROM wanted
 ORDER BY casefold(work), casefold(edition), edition_id
"""


def demand(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """For each edition how many members it is meant for and how many copies are missing for them. Raises NotFound."""
    return _lines(tx, _DEMAND, principal, args)


_MISMATCHES = f"""
SELECT a.id AS assignment_id, a.copy_id, c.copy_number, e.id AS edition_id, e.name AS edition, w.title AS work,
       a.member_id, coalesce(o.nickname, m.nickname, m.name) AS holder, o.member_id IS NULL AS former_member,
       a.assigned_at
  FROM works AS w JOIN editions AS e ON e.work_id = w.id JOIN physical_copies AS c ON c.edition_id = e.id
  JOIN copy_assignments AS a ON a.copy_id = c.id AND a.returned_at IS NULL
  JOIN members AS m ON m.id = a.member_id
  LEFT JOIN member_organizations AS o ON o.member_id = m.id AND o.org_id = w.org_id
 WHERE w.org_id = :org_id
   AND EXISTS (SELECT 1 FROM edition_sections WHERE edition_id = e.id)
   AND NOT EXISTS (SELECT 1 FROM edition_sections AS l JOIN member_sections AS p ON p.section_id = l.section_id
                    WHERE l.edition_id = e.id AND p.member_id = a.member_id)
 ORDER BY casefold(w.title), casefold(e.name), e.id, {natural_order("c.copy_number")}
"""


def mismatches(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The open loans of editions for sections in none of which the holder stands, by work, edition and number."""
    lines = tx.rows(_MISMATCHES, org_id=principal.scope)
    return [dict(line) | {"former_member": bool(line["former_member"])} for line in lines]


_DESK = ("desk:librarian",)
_EDITION: dict[str, Field] = {"edition_id": Text()}

VERBS = (
    Verb(
        "report.inventory", inventory, False, "What copies there are, in which condition, out or here.", _DESK, _EDITION
    ),
    Verb("report.demand", demand, False, "How many copies each edition needs and has.", _DESK, _EDITION),
    Verb("report.mismatches", mismatches, False, "Copies with people whom the edition is not meant for.", _DESK),
)
