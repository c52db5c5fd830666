"""Who downloaded what: one row for each answer that was completed, and its figures. Knows rows; hands nothing out."""

from typing import Any, LiteralString

from db.clock import Moment
from db.errors import NotFound
from db.fields import Field, Instant, Text
from db.files.declared import Recipient
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.files.keys import file_id_of
from domain.charter import Args, Verb

# A file that was removed meanwhile has no log any more.
_NOTE = """
INSERT INTO file_downloads (id, file_id, user_id, downloaded_at, ip_address, user_agent)
SELECT :id, id, :user_id, :now, :address, :agent FROM music_files WHERE id = :file_id
"""
_FIGURES: LiteralString = """
SELECT f.id AS file_id, f.file_name, f.piece_id, p.title, count(*) AS downloads, count(DISTINCT d.user_id) AS users,
       max(d.downloaded_at) AS last_downloaded_at
  FROM file_downloads AS d JOIN music_files AS f ON f.id = d.file_id JOIN music_pieces AS p ON p.id = f.piece_id
 WHERE (:from IS NULL OR d.downloaded_at >= :from) AND (:to IS NULL OR d.downloaded_at <= :to)
"""
_OF_ALL = f"{_FIGURES} GROUP BY f.id ORDER BY downloads DESC, p.title, f.file_name, f.id"
_OF_ONE = """
SELECT count(d.id) AS downloads, count(DISTINCT d.user_id) AS users, max(d.downloaded_at) AS last_downloaded_at
  FROM music_files AS f LEFT JOIN file_downloads AS d ON d.file_id = f.id
 WHERE f.id = :id GROUP BY f.id
"""


def note_download(tx: WriteTx, stored: Row, recipient: Recipient, now: Moment) -> None:
    """Note that somebody was handed this content of a music file."""
    tx.execute(
        _NOTE,
        id=now.new_id(),
        file_id=file_id_of(stored["name"]),
        user_id=recipient.principal_id,
        now=now.text,
        address=recipient.address,
        agent=recipient.user_agent,
    )


def of_file(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How often a file was downloaded, by how many users, and when last. Raises NotFound."""
    found = tx.row(_OF_ONE, id=args["file_id"])
    if found is None:
        raise NotFound(f"file {args['file_id']}: unknown", field="file_id")
    return {"file_id": args["file_id"], **dict(found)}


def report(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The same of every file that was downloaded in that time, both ends included, most often first."""
    rows = tx.rows(_OF_ALL, **{"from": args.get("from"), "to": args.get("to")})
    return [dict(row) for row in rows]


_REPORT = ("report.view",)
_FILE: dict[str, Field] = {"file_id": Text(required=True)}
_TIMES: dict[str, Field] = {"from": Instant(), "to": Instant()}

VERBS = (
    Verb("file.downloads", of_file, False, "How often a music file was downloaded.", _REPORT, _FILE),
    Verb("report.downloads", report, False, "Downloads of every music file in a time.", _REPORT, _TIMES),
)
