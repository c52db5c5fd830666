"""Forgetting a member, and the user with them: exactly what goes and what stays. Knows the band's rows; no register.

Statuses, dates, instruments, sections and the marks of roll calls stay, so that the figures of the past stay true.
"""

from typing import Any

from db.clock import Moment
from db.errors import Conflict
from db.fields import Field, Flag, Text
from db.forgetting.declared import People, Subject
from db.forgetting.ledger import is_forgotten, mark_forgotten
from db.forgetting.traces import forget_traces
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.files.photos import forget_photo
from domain.band.people.members import ANONYMOUS, member_row
from domain.band.users import refuse_last_super_admin
from domain.charter import Args, Verb

FORGOTTEN_NAME = "DELETED USER"

_MEMBER = """
UPDATE members
   SET first_name = :first_name, last_name = :last_name, email = NULL, email_hash = NULL, phone = NULL,
       emergency_name = NULL, emergency_phone = NULL, emergency_email = NULL, notes = NULL, profile_photo = NULL,
       deleted_at = :now, updated_at = :now
 WHERE id = :id
   AND NOT (first_name = :first_name AND last_name = :last_name AND deleted_at IS NOT NULL
            AND coalesce(email, email_hash, phone, emergency_name, emergency_phone, emergency_email, notes,
                         profile_photo) IS NULL)
"""
# What hangs on a member, or on a user: rows stay where they count for the band.
_OF_MEMBER = (
    "UPDATE attendance SET notes = NULL WHERE member_id = :id AND notes IS NOT NULL",
    "UPDATE music_assignments SET notes = NULL WHERE member_id = :id AND notes IS NOT NULL",
)
_USER = """
UPDATE users
   SET name = :name, image = NULL, email = personal_seal('users.email', :email), email_hash = personal_lookup(:email),
       email_verified = NULL, deleted_at = :now, updated_at = :now
 WHERE id = :id
   AND NOT (name IS :name AND image IS NULL AND email_hash = personal_lookup(:email) AND email_verified IS NULL
            AND deleted_at IS NOT NULL)
"""
_OF_USER = (
    "DELETE FROM user_roles WHERE user_id = :id",
    "DELETE FROM user_notifications WHERE user_id = :id",
    "UPDATE file_downloads SET user_id = NULL, ip_address = NULL, user_agent = NULL WHERE user_id = :id",
)
_SENT = "UPDATE messages SET sender_name = :name WHERE sender_id = :id AND sender_name <> :name"


def forget(tx: WriteTx, table: str, key: str, now: Moment) -> None:
    """Bring a forgotten member or user into the form of one; who has it already stays as they are."""
    if table == "members":
        first, last = ANONYMOUS
        forget_photo(tx, key)
        tx.execute(_MEMBER, id=key, first_name=first, last_name=last, now=now.text)
        for sql in _OF_MEMBER:
            tx.execute(sql, id=key)
    elif table == "users":
        tx.execute(_USER, id=key, name=FORGOTTEN_NAME, email=f"deleted-{key}@invalid", now=now.text)
        tx.execute(_SENT, id=key, name=FORGOTTEN_NAME)
        for sql in _OF_USER:
            tx.execute(sql, id=key)


def forget_member(tx: WriteTx, member: Row, now: Moment, *, keep_account: bool = False) -> str | None:
    """Forget the member and, unless it is kept, the user; the id of a user who was forgotten.

    Raises Conflict `last_super_admin`.
    """
    user_id: str | None = None if keep_account else member["user_id"]
    if user_id is not None:
        refuse_last_super_admin(tx, user_id)
    forget_traces(tx, _values(tx, member, user_id))
    for table, key in (("members", member["id"]), ("users", user_id)):
        if key is not None:
            mark_forgotten(tx, table, key, now)
            forget(tx, table, key, now)
    return user_id


_OPENED = """
SELECT first_name || ' ' || last_name, personal_open('members.email', email), personal_open('members.phone', phone),
       personal_open('members.emergency_name', emergency_name),
       personal_open('members.emergency_phone', emergency_phone),
       personal_open('members.emergency_email', emergency_email), first_name, last_name, notes
  FROM members WHERE id = :id
"""
_USER_OPENED = "SELECT personal_open('users.email', email), name FROM users WHERE id = :id"


def _values(tx: ReadTx, member: Row, user_id: str | None) -> list[str | None]:
    """The person's own values, as effects and kept answers may hold them."""
    rows = [tx.row(_OPENED, id=member["id"]), None if user_id is None else tx.row(_USER_OPENED, id=user_id)]
    return [value for row in rows if row is not None for value in tuple(row)]


def anonymise(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Ids of the member and of the user who were forgotten. Nothing brings them back.

    keep_account: the user stays, for another use of it. Raises NotFound, Conflict `already_anonymised`,
    `last_super_admin`.
    """
    member = member_row(tx, args["member_id"])
    if is_forgotten(tx, "members", member["id"]):
        raise Conflict("the member was anonymised before", code="already_anonymised")
    user_id = forget_member(tx, member, now, keep_account=bool(args.get("keep_account")))
    return {"id": member["id"], "user_id": user_id}


_MEMBER_ROW, _USER_ROW = Subject("members", "member_id"), Subject("users", "user_id")
PEOPLE_DATA = People(
    forget=forget,
    values={
        "members.first_name": Subject("members", "id"),
        "members.last_name": Subject("members", "id"),
        "members.notes": Subject("members", "id"),
        "members.profile_photo": Subject("members", "id"),
        "attendance.notes": _MEMBER_ROW,
        "music_assignments.notes": _MEMBER_ROW,
        "users.name": Subject("users", "id"),
        "users.image": Subject("users", "id"),
        "user_notifications.title": _USER_ROW,
        "user_notifications.message": _USER_ROW,
        "messages.sender_name": Subject("users", "sender_id"),
    },
    about={
        "members": {
            "members": "id",
            "member_instruments": "member_id",
            "member_sections": "member_id",
            "attendance": "member_id",
            "music_assignments": "member_id",
        },
        "users": {
            "users": "id",
            "user_roles": "user_id",
            "user_notifications": "user_id",
            "messages": "sender_id",
            "file_downloads": "user_id",
        },
    },
)
_PARAMS: dict[str, Field] = {"member_id": Text(required=True), "keep_account": Flag()}

VERBS = (
    Verb(
        "member.anonymise",
        anonymise,
        True,
        "Forget a member for good, and the user with them unless keep_account says otherwise.",
        ("member.delete",),
        _PARAMS,
    ),
)
