"""Taking the file of an edition away, as a verb. Knows the rows of files and editions; the storage keeps the bytes."""

from typing import Any

from db.clock import Moment
from db.errors import Invalid
from db.fields import Text
from db.principal import Principal
from db.transaction import WriteTx
from domain.charter import Args, Verb
from domain.choir.editions import edition_here
from domain.choir.score_files import BUCKET, note_score


def remove(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The edition that has no file any more. Raises NotFound, Invalid when it had none."""
    edition = edition_here(tx, principal.scope, args["edition_id"])
    if edition["file_key"] is None:
        raise Invalid(f"edition {edition['id']}: has no file to remove", field="edition_id")
    tx.execute("DELETE FROM vaultry_files WHERE bucket = :bucket AND row_key = :id", bucket=BUCKET, id=edition["id"])
    note_score(tx, principal, edition["id"], None, now)
    return {"edition_id": edition["id"]}


VERBS = (
    Verb(
        "file.remove",
        remove,
        True,
        "Take the file of an edition away.",
        ("scores:delete",),
        {"edition_id": Text(required=True)},
    ),
)
