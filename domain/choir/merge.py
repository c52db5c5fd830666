"""Merging a roster person into the member she turned out to be. Knows what refers to members; not who asked for it."""

from db.transaction import ReadTx, Statement, WriteTx
from domain.choir.membership import member_here
from domain.choir.placements import PlacementKind, held_here, mark_primary, primary_of
from domain.choir.sections import SECTION
from domain.choir.voices import VOICE

_JOIN = """
INSERT INTO member_organizations (member_id, org_id, nickname, invited_by, joined_at)
SELECT :survivor_id, roster.org_id, iif(was.name <> is_now.name, was.name, NULL), roster.invited_by, roster.joined_at
  FROM member_organizations AS roster
  JOIN members AS was ON was.id = roster.member_id
  JOIN members AS is_now ON is_now.id = :survivor_id
 WHERE roster.member_id = :roster_id AND roster.org_id = :org_id
    ON CONFLICT DO NOTHING
"""


# Where both have a record of one event, the survivor's empty halves take over what the roster person's hold.
_FILL_PLANNED = """
UPDATE participation
   SET planned_status = r.planned_status, planned_at = r.planned_at, planned_notes = r.planned_notes
  FROM participation AS r
 WHERE participation.member_id = :survivor_id AND participation.planned_status IS NULL
   AND r.member_id = :roster_id AND r.event_id = participation.event_id AND r.planned_status IS NOT NULL
"""
_FILL_ACTUAL = """
UPDATE participation
   SET actual_status = r.actual_status, recorded_at = r.recorded_at, recorded_by = r.recorded_by
  FROM participation AS r
 WHERE participation.member_id = :survivor_id AND participation.actual_status IS NULL
   AND r.member_id = :roster_id AND r.event_id = participation.event_id AND r.actual_status IS NOT NULL
"""


def merge_roster_person(tx: WriteTx, org_id: str, roster_id: str, survivor_id: str) -> None:
    """Give everything the roster person has to the survivor and delete the roster row.

    The survivor's own rows win: doubles of roles, voices and sections are dropped. Raises NotFound.
    """
    member_here(tx, org_id, roster_id)
    tx.execute(_JOIN, survivor_id=survivor_id, roster_id=roster_id, org_id=org_id)
    for kind in (VOICE, SECTION):
        _settle_primary(tx, kind, org_id, roster_id, survivor_id)
    tx.execute(_FILL_PLANNED, survivor_id=survivor_id, roster_id=roster_id)
    tx.execute(_FILL_ACTUAL, survivor_id=survivor_id, roster_id=roster_id)
    tx.execute("DELETE FROM invites WHERE roster_member_id = :roster_id", roster_id=roster_id)
    for statement in _repointing(tx, roster_id, survivor_id):
        tx.run(statement)
    tx.execute("DELETE FROM members WHERE id = :roster_id", roster_id=roster_id)


def _settle_primary(tx: WriteTx, kind: PlacementKind, org_id: str, roster_id: str, survivor_id: str) -> None:
    """Leave one primary mark between the two: the survivor's, else the roster person's."""
    primary = primary_of(tx, kind, org_id, roster_id)
    if primary is None:
        return
    if primary_of(tx, kind, org_id, survivor_id) is not None:
        tx.execute(f"UPDATE {kind.held} SET is_primary = 0 WHERE member_id = :roster_id", roster_id=roster_id)
    elif primary in held_here(tx, kind, org_id, survivor_id):
        mark_primary(tx, kind, survivor_id, primary)


# The survivor has a membership of her own; the roster person's goes with her row.
_REFERENCES = """
SELECT t.name AS table_name, f."from" AS column_name
  FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f
 WHERE t.type = 'table' AND f."table" = 'members'
   AND NOT (t.name = 'member_organizations' AND f."from" = 'member_id')
 ORDER BY t.name, f.id
"""


def _repointing(tx: ReadTx, roster_id: str, survivor_id: str) -> list[Statement]:
    """The statements that let every reference to the roster person mean the survivor.

    Read from the declared foreign keys, so that a table added later is not forgotten. A row the survivor has already
    stays as it is (OR IGNORE) and disappears with the roster row by cascade.
    """
    values = {"roster_id": roster_id, "survivor_id": survivor_id}
    return [
        Statement(
            f'UPDATE OR IGNORE main."{row["table_name"]}" SET "{row["column_name"]}" = :survivor_id'
            f' WHERE "{row["column_name"]}" = :roster_id',
            values,
        )
        for row in tx.rows(_REFERENCES)
    ]
