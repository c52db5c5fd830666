"""Works out of a file: title, composer, lyricist. Knows rows; no file."""

from collections.abc import Callable

from db.clock import Moment
from db.principal import Principal
from db.transaction import WriteTx
from domain.charter import Args, RowImport
from domain.choir.works import WORK_FIELDS, create


def _begin(tx: WriteTx, principal: Principal, now: Moment) -> Callable[[Args], bool]:
    rows = tx.rows("SELECT title, composer FROM works WHERE org_id = :org_id", org_id=principal.scope)
    here = {_key(dict(row)) for row in rows}

    def bring_in(row: Args) -> bool:
        if _key(row) in here:
            return False
        create(tx, principal, row, now)
        return True

    return bring_in


def _key(row: Args) -> str:
    """Two works of one title are told apart by their composer."""
    return "\n".join((str(row["title"]).casefold(), str(row.get("composer") or "").casefold()))


WORKS = RowImport(
    name="works",
    columns=WORK_FIELDS,
    allow=("desk:librarian",),
    key=_key,
    begin=_begin,
    summary="Works of the library. One of the same title and composer, ignoring case, stays as it is.",
)
