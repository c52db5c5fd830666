"""Scores as files: one PDF for each edition, named `{edition id}/{name}`. Knows licences and take-downs; not bytes."""

from db.clock import Moment
from db.files.declared import FileBucket
from db.principal import Principal
from db.resources import Policy
from db.transaction import Row, WriteTx
from domain.choir.library.score_licence import why_unreadable

BUCKET = "scores"
MOST_BYTES = 9_961_470
_HERE = "work_id IN (SELECT id FROM main.works WHERE org_id = :scope)"
_UP = f"{_HERE} AND deleted_at IS NULL"
# What an umbrella owns is read by the members of its collectives, at their own door, while they are affiliated.
_SHARED = (
    "work_id IN (SELECT w.id FROM main.works AS w JOIN main.affiliations AS a ON a.umbrella_id = w.org_id"
    " WHERE a.collective_id = :scope AND a.left_at IS NULL) AND deleted_at IS NULL"
)

_NOTE = """
UPDATE editions
   SET file_key = iif(:name IS NULL, NULL, id), file_name = :name, file_size = :size, file_uploaded_at = :at,
       file_uploaded_by = :member_id
 WHERE id = :id
"""


def note_score(tx: WriteTx, principal: Principal, edition_id: str, file: Row | None, now: Moment) -> None:
    """Tell the edition which file it has, or that it has none."""
    if file is None:
        tx.execute(_NOTE, id=edition_id, name=None, size=None, at=None, member_id=None)
        return
    name = str(file["name"]).rpartition("/")[2]
    tx.execute(_NOTE, id=edition_id, name=name, size=file["size"], at=now.text, member_id=principal.id)


# What was taken down is kept and read by nobody, the librarian desk included.
BUCKETS = (
    FileBucket(
        BUCKET,
        table="editions",
        read=(
            Policy("scores:view", _UP),
            Policy("scores:view", _SHARED),
            Policy(None, f"{_UP} AND license_type = 'public_domain'"),
        ),
        write=(Policy("scores:upload", _UP),),
        remove=(Policy("scores:delete", _HERE),),
        types=("application/pdf",),
        max_bytes=MOST_BYTES,
        single=True,
        changed=note_score,
        why_unreadable=why_unreadable,
    ),
)
