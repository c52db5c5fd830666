"""Members out of a file: roster entries with roles, voices, sections and the day they joined. Knows rows; no file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.errors import Invalid, VaultError
from db.fields import Choice, Day, Email, Instant, Text
from db.principal import Principal
from db.transaction import WriteTx
from domain.charter import Args, RowImport
from domain.choir.members import enter_on_roster
from domain.choir.permissions import ROLES
from domain.choir.roles import require_owner_for
from domain.choir.several import Several

_DAY_CHARACTERS = 10
# What the rules of a placement call the column they refuse.
_COLUMNS = {"voice_id": "voices", "section_id": "sections"}


@dataclass(frozen=True, slots=True)
class Joined:
    """A day, which stands for its first moment in UTC, or a timestamp with an offset."""

    required: bool = False

    def parse(self, value: Any, name: str) -> str:
        """The timestamp."""
        if isinstance(value, str) and len(value.strip()) > _DAY_CHARACTERS:
            return Instant().parse(value, name)
        return f"{Day().parse(value, name)}T00:00:00.000Z"


_NAMES = """
SELECT m.name FROM member_organizations AS o JOIN members AS m ON m.id = o.member_id WHERE o.org_id = :org_id
"""


def _begin(tx: WriteTx, principal: Principal, now: Moment) -> Callable[[Args], bool]:
    here = {row["name"].casefold() for row in tx.rows(_NAMES, org_id=principal.scope)}

    def bring_in(row: Args) -> bool:
        if _key(row) in here:
            return False
        if "joined_at" in row and row["joined_at"] > now.text:
            raise Invalid(f"joined_at: got {row['joined_at']}, wanted a moment that has come", field="joined_at")
        try:
            require_owner_for(principal, row.get("roles") or [])
            enter_on_roster(tx, principal, row, now, row.get("joined_at"))
        except VaultError as exc:
            exc.field = _COLUMNS.get(exc.field or "", exc.field)
            raise
        return True

    return bring_in


def _key(row: Args) -> str:
    return str(row["name"]).casefold()


MEMBERS = RowImport(
    name="members",
    columns={
        "name": Text(required=True),
        "nickname": Text(),
        "email_contact": Email(),
        "roles": Several(Choice(ROLES)),
        "voices": Several(Text()),
        "sections": Several(Text()),
        "joined_at": Joined(),
    },
    allow=("members:manage",),
    key=_key,
    begin=_begin,
    summary="People for the roster, who cannot sign in before they are invited. Somebody of the same name, ignoring "
    "case, stays as she is. Several roles, voices or sections have `;` between them; the first voice and the first "
    "section are the primary ones.",
)
