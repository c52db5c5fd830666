"""Messages and notifications: sent once to the people of the moment, read by each on her own. Knows who may reach whom.

A message's recipients are expanded when it is sent; their notifications are its inbox. Who joins later does not see it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.errors import Forbidden, Invalid, NotFound
from db.fields import Choice, Flag, Text, is_json_list
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.notices import notify
from domain.band.users import require_sign_in
from domain.band.visibility import LED_MEMBERS, LED_SECTIONS
from domain.charter import Args, Verb

EVERYBODY = "all"
_SECTION = "section:"


@dataclass(frozen=True, slots=True)
class Recipients:
    """`all`, `section:<id>`, or a list of user ids and sections."""

    required: bool = False

    def parse(self, value: Any, name: str) -> list[str]:
        """The entries as a list."""
        entries = [value] if isinstance(value, str) else value
        if not is_json_list(entries) or not all(isinstance(entry, str) for entry in entries):
            raise Invalid(f"{name}: got {value!r}, wanted all, a section, or a list of them and of users", field=name)
        if not entries:
            raise Invalid(f"{name}: nobody is named", code="empty_recipients", field=name)
        if EVERYBODY in entries and len(entries) > 1:
            raise Invalid(f"{name}: {EVERYBODY} stands alone", field=name)
        return list(dict.fromkeys(entries))


# Users, not deleted, whose member still belongs to the band.
_REACHED = """
SELECT u.id FROM users AS u JOIN members AS m ON m.user_id = u.id
 WHERE u.deleted_at IS NULL AND m.deleted_at IS NULL AND m.status NOT IN ('INACTIVE', 'ALUMNI')
   AND (:section_id IS NULL OR EXISTS (
        SELECT 1 FROM member_sections WHERE member_id = m.id AND section_id = :section_id))
"""
_KNOWN_SECTION = "SELECT 1 FROM sections WHERE id = :id"
_KNOWN_USER = "SELECT 1 FROM users WHERE id = :id AND deleted_at IS NULL"
_LEADS_SECTION = f"SELECT 1 WHERE :id IN {LED_SECTIONS}"
_LEADS_USER = f"SELECT 1 FROM members WHERE user_id = :id AND deleted_at IS NULL AND id IN {LED_MEMBERS}"


def _refuse_unknown(tx: ReadTx, entries: Sequence[str]) -> None:
    for entry in entries:
        section = entry.startswith(_SECTION)
        sql = _KNOWN_SECTION if section else _KNOWN_USER
        if entry != EVERYBODY and tx.value(sql, id=entry.removeprefix(_SECTION)) is None:
            raise Invalid(f"recipients: {entry!r} is unknown", code="unknown_recipient", field="recipients")


def _refuse_out_of_reach(tx: ReadTx, principal: Principal, entries: Sequence[str]) -> None:
    """Raise Forbidden unless the caller writes to anybody, or leads every section and person named."""
    if principal.may("message.send.all"):
        return
    for entry in entries:
        sql = _LEADS_SECTION if entry.startswith(_SECTION) else _LEADS_USER
        reached = tx.value(sql, id=entry.removeprefix(_SECTION), principal_id=principal.id)
        if entry == EVERYBODY or reached is None:
            raise Forbidden(f"{entry} is not yours to write to", code="out_of_scope", field="recipients")


def _expanded(tx: ReadTx, entries: Sequence[str], sender_id: str | None) -> list[str]:
    """The ids of everybody who is meant, each once, without the sender."""
    users: dict[str, None] = {}
    for entry in entries:
        if entry == EVERYBODY or entry.startswith(_SECTION):
            section = None if entry == EVERYBODY else entry.removeprefix(_SECTION)
            users |= dict.fromkeys(row["id"] for row in tx.rows(_REACHED, section_id=section))
        else:
            users[entry] = None
    return sorted(users.keys() - {sender_id})


def send(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The message's id, and how many it reached. Raises Invalid `unknown_recipient`, `empty_recipients`, Forbidden."""
    entries: list[str] = args["recipients"]
    _refuse_unknown(tx, entries)
    _refuse_out_of_reach(tx, principal, entries)
    users = _expanded(tx, entries, principal.id)
    if not users:
        raise Invalid("recipients: nobody is reached", code="empty_recipients", field="recipients")
    message_id = now.new_id()
    tx.insert(
        "messages",
        id=message_id,
        subject=args["subject"],
        body=args["body"],
        sender_id=principal.id or principal.actor_id,
        sender_name=principal.name or principal.actor_id,
        recipients=json.dumps(entries),
        sent_at=now.text,
    )
    for user_id in users:
        key = f"msg:{message_id}:{user_id}"
        notify(tx, user_id, "SYSTEM", args["subject"], args["body"], dedupe_key=key, now=now,
               link_url=f"/messages/{message_id}")  # fmt: skip
    return {"id": message_id, "recipients": len(users)}


_COLUMNS = "m.id, m.subject, m.body, m.sender_id, m.sender_name, m.recipients, m.sent_at"
_RECEIVED = f"""
SELECT {_COLUMNS}, n.is_read FROM user_notifications AS n JOIN messages AS m ON n.link_url = '/messages/' || m.id
 WHERE n.user_id = :id AND n.type = 'SYSTEM' AND (:message_id IS NULL OR m.id = :message_id)
 ORDER BY m.sent_at DESC, m.id DESC
"""
_SENT = f"""
SELECT {_COLUMNS}, 1 AS is_read FROM messages AS m
 WHERE m.sender_id = :id AND (:message_id IS NULL OR m.id = :message_id) ORDER BY m.sent_at DESC, m.id DESC
"""


def _message(row: Row) -> dict[str, Any]:
    return dict(row) | {"recipients": json.loads(row["recipients"]), "is_read": bool(row["is_read"])}


def list_messages(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """What one received, or sent; the newest first. Raises NotAuthenticated."""
    require_sign_in(principal)
    sql = _SENT if args.get("box") == "sent" else _RECEIVED
    return [_message(row) for row in tx.rows(sql, id=principal.id, message_id=None)]


def get(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """One message that one sent or received. Raises NotFound, NotAuthenticated."""
    require_sign_in(principal)
    values = {"id": principal.id, "message_id": args["message_id"]}
    found = tx.row(_SENT, **values) or tx.row(_RECEIVED, **values)
    if found is None:
        raise NotFound(f"message {args['message_id']}: unknown", field="message_id")
    return _message(found)


_MINE = """
SELECT id, type, title, message, link_url, announcement_id, event_id, is_read, read_at, created_at
  FROM user_notifications
 WHERE user_id = :id AND (NOT :unread OR is_read = 0) ORDER BY created_at DESC, id DESC
"""
_READ = """
UPDATE user_notifications SET is_read = 1, read_at = :now
 WHERE user_id = :id AND is_read = 0 AND (:one IS NULL OR id = :one)
"""


def notifications(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """One's own notifications, the newest first. Raises NotAuthenticated."""
    require_sign_in(principal)
    unread = int(bool(args.get("unread")))
    return [dict(row) for row in tx.rows(_MINE, id=principal.id, unread=unread)]


def mark_read(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, and when it was first read. Raises NotFound for somebody else's, NotAuthenticated."""
    require_sign_in(principal)
    own = "SELECT read_at FROM user_notifications WHERE id = :one AND user_id = :id"
    tx.execute(_READ, id=principal.id, one=args["notification_id"], now=now.text)
    found = tx.row(own, one=args["notification_id"], id=principal.id)
    if found is None:
        raise NotFound(f"notification {args['notification_id']}: unknown", field="notification_id")
    return {"id": args["notification_id"], "read_at": found["read_at"]}


def mark_all_read(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """How many were unread. Raises NotAuthenticated."""
    require_sign_in(principal)
    return {"count": tx.execute(_READ, id=principal.id, one=None, now=now.text)}


# Whatever roles somebody has: what was sent to her is hers.
_READER = ()

VERBS = (
    Verb(
        "message.send",
        send,
        True,
        "Write to everybody, a section or single users.",
        ("message.send.all", "message.send.section"),
        {
            "subject": Text(required=True),
            "body": Text(required=True, max_characters=20_000),
            "recipients": Recipients(required=True),
        },
    ),
    Verb(
        "message.list",
        list_messages,
        False,
        "Messages one received or sent.",
        _READER,
        {"box": Choice(("inbox", "sent"))},
    ),
    Verb("message.get", get, False, "One message.", _READER, {"message_id": Text(required=True)}),
    Verb("me.notifications", notifications, False, "One's own notifications.", _READER, {"unread": Flag()}),
    Verb(
        "me.read_notification",
        mark_read,
        True,
        "Note that one read a notification.",
        _READER,
        {"notification_id": Text(required=True)},
    ),
    Verb("me.read_all_notifications", mark_all_read, True, "Note that one read every notification.", _READER),
)
