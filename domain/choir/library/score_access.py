"""Where the file of an edition is, for whoever may read it. Knows places in the storage; the rule is score_licence."""

from typing import Any

from db.clock import Moment
from db.errors import NotFound
from db.fields import Text
from db.principal import Principal
from db.transaction import ReadTx, Row
from domain.charter import Args, Verb
from domain.choir.editions import edition_here
from domain.choir.library.score_licence import decide_reading, for_members, taken_down
from domain.choir.score_files import BUCKET


def score_place(tx: ReadTx, edition: Row, *, member: bool) -> dict[str, Any]:
    """Where the edition's file is: `bucket` and `path` in the storage, its name and size in bytes.

    member: of an organization that may read it. Raises TakenDown, NotAuthenticated, NotFound.
    """
    verdict = decide_reading(
        edition["license_type"],
        taken_down=edition["deleted_at"] is not None,
        has_file=edition["file_key"] is not None,
        member=member,
    )
    if verdict == "taken_down":
        raise taken_down(edition["id"])
    if verdict == "sign_in":
        raise for_members(edition["id"])
    if verdict == "no_file":
        raise NotFound(f"edition {edition['id']}: has no file", field="edition_id")
    path = tx.value(
        "SELECT name FROM vaultry_files WHERE bucket = :bucket AND row_key = :id", bucket=BUCKET, id=edition["file_key"]
    )
    named = {"file_name": edition["file_name"], "file_size": edition["file_size"]}
    return {"edition_id": edition["id"], "bucket": BUCKET, "path": path, **named}


def read(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Where the file of an edition of this library is. Raises as `score_place`, and NotFound for the edition."""
    edition = edition_here(tx, principal.scope, args["edition_id"])
    return score_place(tx, edition, member=principal.may("scores:download"))


VERBS = (
    Verb(
        "file.read",
        read,
        False,
        "Where the file of an edition is, for whoever may read it.",
        (),
        {"edition_id": Text(required=True)},
    ),
)
