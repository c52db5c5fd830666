"""What the band holds about one person, for that person or for whoever answers them. Opens values; changes nothing."""

from typing import Any

from db.clock import Moment
from db.fields import Text
from db.forgetting.export import changes_of, rows_about
from db.principal import Principal
from db.transaction import Row, WriteTx
from domain.band.calendar.resources import CALENDAR
from domain.band.content.resources import CONTENT
from domain.band.files.resources import FILES
from domain.band.music.catalogue import CATALOGUE
from domain.band.people.members import member_row
from domain.band.people.resources import PEOPLE
from domain.band.privacy.forgetting import PEOPLE_DATA
from domain.charter import Args, Verb

_RESOURCES = (*PEOPLE, *CATALOGUE, *CALENDAR, *CONTENT, *FILES)
_OWN = "SELECT * FROM members WHERE user_id = :id"


def of_member(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Rows by table and the changes of the person's own rows; the audit log notes whose. Raises NotFound."""
    member = member_row(tx, args["member_id"])
    tx.note("members", {"action": "EXPORT", "member_id": member["id"], "kind": "person"})
    return _disclosed(tx, member, member["user_id"], now)


def of_oneself(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The same about the caller, without the notes that administrators keep."""
    member = tx.row(_OWN, id=principal.id)
    tx.note("users", {"action": "EXPORT", "user_id": principal.id, "kind": "person"})
    told = _disclosed(tx, member, principal.id, now)
    for row in told["rows"].get("members", ()):
        row.pop("notes", None)
    for change in told["changes"]:
        if change["table_name"] == "members":
            for values in (change["old_values"], change["new_values"]):
                if values is not None:
                    values.pop("notes", None)
    return told


def _disclosed(tx: WriteTx, member: Row | None, user_id: str | None, now: Moment) -> dict[str, Any]:
    persons = [("members", member["id"])] if member is not None else []
    persons += [("users", user_id)] if user_id is not None else []
    rows = rows_about(tx, PEOPLE_DATA, _RESOURCES, persons)
    return {"at": now.text, "rows": rows, "changes": changes_of(tx, persons)}


VERBS = (
    Verb(
        "member.data",
        of_member,
        True,
        "Everything the band holds about one member, for whoever answers a request for it.",
        ("member.edit.all",),
        {"member_id": Text(required=True)},
    ),
    Verb(
        "me.data",
        of_oneself,
        True,
        "Everything the band holds about oneself.",
        ("member.view.own",),
    ),
)
