"""The catalogue as a table to take along. Changes nothing but the note that an export was made."""

from typing import Any

from db.clock import Moment
from db.errors import Forbidden
from db.fields import Choice
from db.principal import Principal
from db.transaction import WriteTx
from domain.charter import Args, Verb

# Columns as in the librarian's spreadsheet.
_EXPORT = """
SELECT p.title AS "Title", p.subtitle AS "Subtitle", c.full_name AS "Composer", a.full_name AS "Arranger",
       b.name AS "Publisher", p.genre AS "Genre", p.style AS "Style",
       'Grade ' || substr(p.difficulty, 7) AS "Difficulty", p.duration AS "Duration (seconds)",
       p.catalog_number AS "Catalog Number", p.notes AS "Notes",
       (SELECT count(*) FROM music_files WHERE piece_id = p.id) AS "File Count",
       (SELECT count(*) FROM music_assignments WHERE piece_id = p.id) AS "Assignment Count",
       iif(p.is_archived, 'Yes', 'No') AS "Archived", substr(p.created_at, 1, 10) AS "Created At"
  FROM music_pieces AS p
  LEFT JOIN persons AS c ON c.id = p.composer_id LEFT JOIN persons AS a ON a.id = p.arranger_id
  LEFT JOIN publishers AS b ON b.id = p.publisher_id
 WHERE p.deleted_at IS NULL AND (:archived = 'all' OR p.is_archived = (:archived = 'only'))
 ORDER BY casefold(p.title), p.id
"""


def export(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """Every piece that is not in the trash, for a spreadsheet. Raises Forbidden.

    The audit log notes the filter and how many rows there were.
    """
    if not principal.may("music.view.all"):
        raise Forbidden("exporting music needs music.view.all besides report.export")
    archived: str = args.get("archived") or "all"
    rows = [dict(row) for row in tx.rows(_EXPORT, archived=archived)]
    tx.note("music_pieces", {"action": "EXPORT", "filters": {"archived": archived}, "rows": len(rows)})
    return rows


VERBS = (
    Verb(
        "music.export",
        export,
        True,
        "The catalogue for a spreadsheet.",
        ("report.export",),
        {"archived": Choice(("false", "only", "all"))},
    ),
)
