"""Members: taken on, changed, linked to a user, put in the trash. Status and placements are their own."""

from dataclasses import dataclass
from typing import Any, LiteralString

from db.clock import Moment
from db.errors import Conflict, Forbidden, Invalid, NotFound
from db.fields import Choice, Email, Field, ListOf, Text
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.days import MIDNIGHT, DayOrInstant
from domain.band.people.placements import INSTRUMENT, Entry, put_instruments, put_sections
from domain.band.people.status import STATUSES
from domain.band.trash import Trashable, trash_verb
from domain.band.users import grant_role, require_user
from domain.charter import Args, Verb
from domain.partial_update import changeable, changes

_PERSONAL = ("email", "phone", "emergency_name", "emergency_phone", "emergency_email")

OWN_FIELDS: dict[str, Field] = {
    "first_name": Text(required=True, max_characters=100),
    "last_name": Text(required=True, max_characters=100),
    "email": Email(),
    "phone": Text(max_characters=50),
    "emergency_name": Text(),
    "emergency_phone": Text(max_characters=50),
    "emergency_email": Email(),
}
MEMBER_FIELDS: dict[str, Field] = {
    **OWN_FIELDS,
    "join_date": DayOrInstant(),
    "leave_date": DayOrInstant(),
    "notes": Text(max_characters=4000),
}


@dataclass(frozen=True, slots=True)
class StaffOnly:
    """A field that nobody changes of oneself."""

    required: bool = False

    def parse(self, value: Any, name: str) -> Any:
        """Raises Forbidden, whatever is given."""
        raise Forbidden(f"{name}: only staff changes it", field=name)


_NOT_OWN = ("status", "join_date", "leave_date", "notes", "sections", "user_id")
_NEW: dict[str, Field] = {
    **MEMBER_FIELDS,
    "status": Choice(STATUSES),
    "user_id": Text(),
    "section_ids": ListOf(Text()),
    "instrument_ids": ListOf(Text()),
    "primary_instrument_id": Text(),
}

_ADD = """
INSERT INTO members (id, user_id, first_name, last_name, email, email_hash, phone, status, join_date, leave_date,
                     emergency_name, emergency_phone, emergency_email, notes, created_at, updated_at)
VALUES (:id, :user_id, :first_name, :last_name, personal_seal('members.email', :email), personal_lookup(:email),
        personal_seal('members.phone', :phone), :status, :join_date, :leave_date,
        personal_seal('members.emergency_name', :emergency_name),
        personal_seal('members.emergency_phone', :emergency_phone),
        personal_seal('members.emergency_email', :emergency_email), :notes, :now, :now)
"""


MEMBERS = Trashable("members", "member")
member_row, live_member = MEMBERS.row, MEMBERS.live


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The new member's id. Raises Conflict `member_already_linked`, NotFound for the user, Invalid for placements."""
    member_id, status = now.new_id(), args.get("status") or "PENDING"
    user_id: str | None = args.get("user_id")
    if user_id is not None:
        _refuse_linked(tx, user_id)
    given = {name: args.get(name) for name in MEMBER_FIELDS}
    # As when somebody becomes that: the day of joining, or the one from which an alumnus' years are counted.
    today = now.text[:10] + MIDNIGHT
    given["join_date"] = given["join_date"] or (today if status == "ACTIVE" else None)
    given["leave_date"] = given["leave_date"] or (today if status == "ALUMNI" else None)
    _refuse_left_before_joined(given["join_date"], given["leave_date"])
    tx.execute(_ADD, id=member_id, user_id=user_id, status=status, now=now.text, **given)
    wanted: list[str] = args.get("instrument_ids") or []
    primary: str | None = args.get("primary_instrument_id")
    if primary is not None and primary not in wanted:
        wanted = [primary, *wanted]
    sections: list[str] = args.get("section_ids") or []
    put_instruments(tx, member_id, [{"id": one, "is_primary": int(one == primary)} for one in wanted], now)
    put_sections(tx, member_id, [{"id": one, "is_leader": 0} for one in sections], now)
    if user_id is not None and status == "ACTIVE":
        grant_role(tx, user_id, "MUSICIAN", assigned_by=principal.id, now=now)
    return {"id": member_id}


def _refuse_linked(tx: ReadTx, user_id: str) -> None:
    require_user(tx, user_id)
    if tx.value("SELECT 1 FROM members WHERE user_id = :id", id=user_id) is not None:
        raise Conflict(f"user {user_id} has a member already", code="member_already_linked", field="user_id")


def _refuse_left_before_joined(joined: Any, left: Any) -> None:
    if joined is not None and left is not None and left < joined:
        raise Invalid(f"leave_date: {left} is before join_date {joined}", field="leave_date")


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Everything but the status, by staff. Raises NotFound, Invalid."""
    member = live_member(tx, args["member_id"])
    given = changes(args, MEMBER_FIELDS)
    joined, left = (given.get(name, member[name]) for name in ("join_date", "leave_date"))
    _refuse_left_before_joined(joined, left)
    write_changes(tx, member["id"], given, now)
    return {"id": member["id"]}


def update_own(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id of the caller's own member row; names, addresses, emergency contact, instruments. Raises NotFound."""
    member_id = own_member(tx, principal)
    instruments = args.get("instruments")
    given = {name: args[name] for name in OWN_FIELDS if name in args}
    if given or instruments is None:
        write_changes(tx, member_id, changes(args, OWN_FIELDS), now)
    if instruments is not None:
        put_instruments(tx, member_id, instruments, now)
    return {"id": member_id}


def own_member(tx: ReadTx, principal: Principal) -> str:
    """The id of the caller's member row. Raises NotFound for somebody who is no member."""
    found: str | None = tx.value("SELECT id FROM members WHERE user_id = :id AND deleted_at IS NULL", id=principal.id)
    if found is None:
        raise NotFound("you are not linked to a member of the band", hint="ask the administrator to link you")
    return found


_SEALED = """
UPDATE members
   SET first_name = :first_name, last_name = :last_name, notes = :notes, join_date = :join_date,
       leave_date = :leave_date, email = iif(:has_email, personal_seal('members.email', :email), email),
       email_hash = iif(:has_email, personal_lookup(:email), email_hash),
       phone = iif(:has_phone, personal_seal('members.phone', :phone), phone),
       emergency_name = iif(:has_emergency_name, personal_seal('members.emergency_name', :emergency_name),
                            emergency_name),
       emergency_phone = iif(:has_emergency_phone, personal_seal('members.emergency_phone', :emergency_phone),
                             emergency_phone),
       emergency_email = iif(:has_emergency_email, personal_seal('members.emergency_email', :emergency_email),
                             emergency_email),
       updated_at = :now
 WHERE id = :id
"""


def write_changes(tx: WriteTx, member_id: str, given: dict[str, Any], now: Moment) -> None:
    """Write the given columns; sealed ones are sealed anew, all others stay as they are."""
    member = member_row(tx, member_id)
    plain = {name: given.get(name, member[name]) for name in MEMBER_FIELDS if name not in _PERSONAL}
    sealed = {name: given.get(name) for name in _PERSONAL}
    has = {f"has_{name}": int(name in given) for name in _PERSONAL}
    tx.execute(_SEALED, id=member_id, now=now.text, **plain, **sealed, **has)


def link_user(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Both ids. An active member's user becomes a musician. Raises Conflict `member_already_linked`, NotFound."""
    member = live_member(tx, args["member_id"])
    if member["user_id"] is not None:
        raise Conflict("the member has a user already; unlink first", code="member_already_linked", field="member_id")
    _refuse_linked(tx, args["user_id"])
    _set_user(tx, member["id"], args["user_id"], now)
    if member["status"] == "ACTIVE":
        grant_role(tx, args["user_id"], "MUSICIAN", assigned_by=principal.id, now=now)
    return {"id": member["id"], "user_id": args["user_id"]}


def unlink_user(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The member's id. The user stays and keeps the roles. Raises NotFound, Conflict `invalid_transition`."""
    member = live_member(tx, args["member_id"])
    if member["user_id"] is None:
        raise Conflict("the member has no user", code="invalid_transition", field="member_id")
    _set_user(tx, member["id"], None, now)
    return {"id": member["id"]}


def _set_user(tx: WriteTx, member_id: str, user_id: str | None, now: Moment) -> None:
    tx.execute(
        "UPDATE members SET user_id = :user_id, updated_at = :now WHERE id = :id",
        id=member_id,
        user_id=user_id,
        now=now.text,
    )


def delete(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, and until when the member can come back. Raises NotFound, Conflict `already_deleted`, `anonymised`."""
    member = member_row(tx, args["member_id"])
    refuse_anonymised(member)
    return MEMBERS.discard(tx, member["id"], now)


ANONYMOUS = ("DELETED", "USER")
# Who was forgotten does not come back.
_TRASHED: LiteralString = """
SELECT id, first_name, last_name, status, deleted_at FROM members
 WHERE deleted_at IS NOT NULL AND NOT (first_name = 'DELETED' AND last_name = 'USER')
"""


def refuse_anonymised(member: Row) -> None:
    """Raise Conflict `anonymised` for somebody who was forgotten."""
    if (member["first_name"], member["last_name"]) == ANONYMOUS and member["deleted_at"] is not None:
        raise Conflict("the member was anonymised; nothing is left to bring back", code="anonymised")


_MEMBER: dict[str, Field] = {"member_id": Text(required=True)}
_EDIT, _OWN, _DELETE = ("member.edit.all",), ("member.edit.own",), ("member.delete",)

VERBS = (
    Verb("member.create", create, True, "Take on a member.", ("member.create",), _NEW),
    Verb(
        "member.update",
        update,
        True,
        "Change a member; the status has a verb of its own.",
        _EDIT,
        {**_MEMBER, **changeable(MEMBER_FIELDS)},
    ),
    Verb(
        "me.update_member",
        update_own,
        True,
        "Change one's own name, addresses, emergency contact and instruments.",
        _OWN,
        {
            **changeable(OWN_FIELDS),
            "instruments": ListOf(Entry(INSTRUMENT)),
            **dict.fromkeys(_NOT_OWN, StaffOnly()),
        },
    ),
    Verb(
        "member.link_user",
        link_user,
        True,
        "Let a user act as this member.",
        _EDIT,
        {**_MEMBER, "user_id": Text(required=True)},
    ),
    Verb("member.unlink_user", unlink_user, True, "Part a member from the user.", _EDIT, _MEMBER),
    Verb("member.delete", delete, True, "Put a member in the trash for 30 days.", _DELETE, _MEMBER),
    trash_verb("member.trash", "Members", _TRASHED, "member.delete"),
)
