"""Who may read a music file: a table of cases, of which the first that fits decides. Knows rows; writes none."""

from typing import Any, NamedTuple

from db.clock import Moment
from db.errors import Forbidden, NotAuthenticated, NotFound
from db.fields import Text
from db.files.declared import Reading
from db.principal import Principal
from db.transaction import ReadTx, Row
from domain.band.files.keys import MUSIC, file_id_of
from domain.band.settings import setting
from domain.band.visibility import OPEN_STATUSES, OWN_MEMBER
from domain.charter import Args, Verb

NOT_SIGNED_IN = "not_signed_in"


class Verdict(NamedTuple):
    """Whether a file may be read, and by which case."""

    allowed: bool
    reason: str


_FILE = """
SELECT f.*, p.is_archived FROM music_files AS f
  JOIN music_pieces AS p ON p.id = f.piece_id AND p.deleted_at IS NULL
"""
_BY_ID = f"{_FILE} WHERE f.id = :id"
_BY_KEY = f"{_FILE} WHERE f.storage_key = :key"
_KEEPS_THE_LIBRARY = """
SELECT 1 FROM held_roles WHERE user_id = :id AND type IN ('SUPER_ADMIN', 'ADMIN', 'LIBRARIAN')
"""
# Parts that the caller holds of the piece; one given by its name alone is the part of that name.
_HELD = f"""
SELECT a.id, p.file_id
  FROM music_assignments AS a
  LEFT JOIN music_parts AS p
    ON p.id = coalesce(a.part_id, (SELECT id FROM music_parts AS named
                                    WHERE named.piece_id = a.piece_id AND named.part_name = a.part_name COLLATE NOCASE))
 WHERE a.piece_id = :piece_id AND a.status IN {OPEN_STATUSES} AND a.member_id = {OWN_MEMBER}
"""


def judge(tx: ReadTx, principal: Principal, file: Row) -> Verdict:
    """What holds for the caller and a file of a piece that is there. file: as `_FILE` gives it."""
    guest = principal.kind == "guest"
    if file["is_public"]:
        return Verdict(True, "public_file_anonymous" if guest else "public_file")
    if guest:
        return Verdict(False, NOT_SIGNED_IN)
    if principal.id is not None and tx.value(_KEEPS_THE_LIBRARY, id=principal.id) is not None:
        return Verdict(True, "admin_access")
    if principal.may("music.download.all"):
        return Verdict(True, "download_all_permission")
    if not principal.may("music.download.assigned"):
        return Verdict(False, "no_download_permission")
    held = tx.rows(_HELD, piece_id=file["piece_id"], principal_id=principal.id)
    if not held:
        return Verdict(False, "not_assigned_to_piece")
    if file["is_archived"] or file["file_type"] == "LICENSING":
        return Verdict(False, "not_released")
    strict = file["file_type"] == "PART" and setting(tx, "strict_part_download") == "true"
    if strict and file["id"] not in {row["file_id"] for row in held}:
        return Verdict(False, "other_part")
    return Verdict(True, "assigned_to_piece")


def may_read(tx: ReadTx, principal: Principal, stored: Row, now: Moment, by_link: bool) -> Reading:
    """Why the caller may read the music file of this content. by_link: it was judged when the link was signed.

    Raises NotFound, NotAuthenticated `not_signed_in`, Forbidden `download_denied` with the reason as its details.
    """
    file = tx.row(_BY_KEY, key=f"{MUSIC}/{stored['name']}")
    if file is None:
        raise NotFound("Object not found")
    if by_link:
        return Reading("link", file["file_name"])
    verdict = judge(tx, principal, file)
    if verdict.allowed:
        return Reading(verdict.reason, file["file_name"])
    if verdict.reason == NOT_SIGNED_IN:
        raise NotAuthenticated("this file is for members; sign in first", code=NOT_SIGNED_IN)
    raise Forbidden("you may not download this file", code="download_denied", details=verdict.reason)


def may_read_replaced(tx: ReadTx, principal: Principal, stored: Row, now: Moment, by_link: bool) -> Reading:
    """Why the caller may read what a music file was before: who puts files can get it back. Raises NotFound."""
    file = tx.row(_BY_ID, id=file_id_of(stored["name"]))
    if file is None or not (by_link or principal.may("music.upload")):
        raise NotFound("Object not found")
    return Reading("link" if by_link else "replaced_file", file["file_name"])


def tell(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Whether the caller may download the file, why or why not, and where it is. Raises NotFound."""
    file = tx.row(_BY_ID, id=args["file_id"])
    if file is None:
        raise NotFound(f"file {args['file_id']}: unknown", field="file_id")
    verdict = judge(tx, principal, file)
    path = file["storage_key"] if verdict.allowed else None
    return {"id": file["id"], "allowed": verdict.allowed, "reason": verdict.reason, "path": path}


VERBS = (
    Verb(
        "file.access",
        tell,
        False,
        "Whether one may download a music file, why or why not, and where it is.",
        (),
        {"file_id": Text(required=True)},
    ),
)
