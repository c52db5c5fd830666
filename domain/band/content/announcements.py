"""Announcements: written, published at once or later, and told to those they are for. Knows roles; sends no mail."""

import json
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited
from db.fields import Choice, Field, Flag, Instant, ListOf, Text
from db.outbox import enqueue
from db.principal import Principal
from db.transaction import ReadTx, Row, WriteTx
from domain.band.content.publishing import refuse_past, require_step
from domain.band.notices import notify
from domain.band.permissions import ROLES
from domain.band.recently import changes_since
from domain.charter import Args, Verb
from domain.partial_update import changeable, changes, refuse_null

PER_HOUR = 10
MAILS_AT_ONCE = 10
_HOUR_S = 3600
ANNOUNCEMENT_FIELDS: dict[str, Field] = {
    "title": Text(required=True),
    "content": Text(required=True, max_characters=20_000),
    "target_roles": ListOf(Choice(tuple(ROLES)), maximum=len(ROLES)),
    "is_urgent": Flag(),
    "expires_at": Instant(),
}
_NEVER_NULL = frozenset({"target_roles", "is_urgent"})


def announcement_row(tx: ReadTx, principal: Principal, announcement_id: str) -> Row:
    """The announcement, for who may change it. Raises NotFound, Forbidden `out_of_scope`."""
    found = tx.row("SELECT * FROM announcements WHERE id = :id", id=announcement_id)
    if found is None:
        raise NotFound(f"announcement {announcement_id}: unknown", field="announcement_id")
    if not principal.may("cms.edit") and found["created_by"] != principal.id:
        raise Forbidden("this announcement is somebody else's", code="out_of_scope")
    return found


def create(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id of the new draft."""
    announcement_id = now.new_id()
    tx.insert(
        "announcements",
        id=announcement_id,
        title=args["title"],
        content=args["content"],
        target_roles=json.dumps(args.get("target_roles") or []),
        is_urgent=args.get("is_urgent") or 0,
        expires_at=args.get("expires_at"),
        created_at=now.text,
        created_by=principal.id,
        updated_at=now.text,
    )
    return {"id": announcement_id}


_SET = """
UPDATE announcements
   SET title = :title, content = :content, target_roles = :target_roles, is_urgent = :is_urgent,
       expires_at = :expires_at, updated_at = :now
 WHERE id = :id
"""


def update(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Nobody is told again. Raises NotFound, Forbidden `out_of_scope`, Conflict, Invalid."""
    row = announcement_row(tx, principal, args["announcement_id"])
    if row["status"] == "ARCHIVED":
        raise Conflict("the announcement is archived", code="invalid_transition")
    given = changes(args, ANNOUNCEMENT_FIELDS)
    refuse_null(given, _NEVER_NULL)
    if "target_roles" in given:
        given["target_roles"] = json.dumps(given["target_roles"])
    new = {name: row[name] for name in ANNOUNCEMENT_FIELDS} | given
    _refuse_early_end(new["expires_at"], row["published_at"] if row["status"] == "PUBLISHED" else row["publish_at"])
    tx.execute(_SET, id=row["id"], now=now.text, **new)
    return {"id": row["id"]}


def _refuse_early_end(expires_at: str | None, published_at: str | None) -> None:
    if expires_at is not None and published_at is not None and expires_at <= published_at:
        raise Invalid(f"expires_at: {expires_at} is not after the publication {published_at}", field="expires_at")


def publish(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, and how many users were told now. Raises NotFound, Forbidden, Conflict, Invalid, RateLimited."""
    row = announcement_row(tx, principal, args["announcement_id"])
    require_step(row, "publish", "announcement")
    _refuse_early_end(row["expires_at"], now.text)
    # Counted where each publication leaves a trace that no change of the row takes back.
    since = now.later(seconds=-_HOUR_S)
    if changes_since(tx, since, "announcements", actor=principal.actor_id, column="published_at") >= PER_HOUR:
        raise RateLimited(f"{PER_HOUR} announcements an hour were published", retry_after_s=_HOUR_S)
    return {"id": row["id"], "notified": make_public(tx, row, now)}


_PUBLISH = """
UPDATE announcements SET status = 'PUBLISHED', published_at = :now, publish_at = NULL, updated_at = :now
 WHERE id = :id
"""
# Every user with a proven address, or those who hold one of the roles now.
_RECIPIENTS = """
SELECT u.id, personal_open('users.email', u.email) AS email FROM users AS u
 WHERE u.deleted_at IS NULL AND u.email_verified IS NOT NULL
   AND (:roles = '[]' OR EXISTS (
        SELECT 1 FROM held_roles AS held
         WHERE held.user_id = u.id AND held.type IN (SELECT value FROM json_each(:roles))))
 ORDER BY u.id
"""
_MAILS = "SELECT value FROM system_settings WHERE key = 'email_notifications_enabled'"


def make_public(tx: WriteTx, row: Row, now: Moment) -> int:
    """Publish the announcement; how many users were told now. Who was told before is not told again."""
    tx.execute(_PUBLISH, id=row["id"], now=now.text)
    mails = bool(row["is_urgent"]) and tx.value(_MAILS) == "true"
    told = 0
    for user in tx.rows(_RECIPIENTS, roles=row["target_roles"]):
        key = f"ann:{row['id']}:{user['id']}"
        new = notify(tx, user["id"], "ANNOUNCEMENT", row["title"], row["content"], dedupe_key=key, now=now,
                     announcement_id=row["id"])  # fmt: skip
        told += new
        if new and mails:
            message = {"to": user["email"], "subject": f"[URGENT] {row['title']}", "text": row["content"]}
            # Ten at a time, a second between them: no mail server takes a band for a flood.
            enqueue(tx, "mail", message, now, due_at=now.later(seconds=(told - 1) // MAILS_AT_ONCE))
    return told


_SCHEDULE = """
UPDATE announcements SET status = 'SCHEDULED', publish_at = :publish_at, updated_at = :now WHERE id = :id
"""
_UNSCHEDULE = "UPDATE announcements SET status = 'DRAFT', publish_at = NULL, updated_at = :now WHERE id = :id"
_ARCHIVE = "UPDATE announcements SET status = 'ARCHIVED', publish_at = NULL, updated_at = :now WHERE id = :id"


def schedule(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Forbidden, Conflict, Invalid `schedule_in_past`."""
    row = announcement_row(tx, principal, args["announcement_id"])
    require_step(row, "schedule", "announcement")
    refuse_past(args["publish_at"], now, "publish_at")
    _refuse_early_end(row["expires_at"], args["publish_at"])
    tx.execute(_SCHEDULE, id=row["id"], publish_at=args["publish_at"], now=now.text)
    return {"id": row["id"]}


def unschedule(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Forbidden, Conflict."""
    row = announcement_row(tx, principal, args["announcement_id"])
    require_step(row, "unschedule", "announcement")
    tx.execute(_UNSCHEDULE, id=row["id"], now=now.text)
    return {"id": row["id"]}


def archive(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Raises NotFound, Forbidden, Conflict."""
    row = announcement_row(tx, principal, args["announcement_id"])
    require_step(row, "archive", "announcement")
    tx.execute(_ARCHIVE, id=row["id"], now=now.text)
    return {"id": row["id"]}


def remove(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id. Notifications stay, without it. Raises NotFound, Forbidden."""
    row = announcement_row(tx, principal, args["announcement_id"])
    tx.execute("DELETE FROM announcements WHERE id = :id", id=row["id"])
    return {"id": row["id"]}


_CREATE = ("announcement.create",)
_ONE: dict[str, Field] = {"announcement_id": Text(required=True)}

VERBS = (
    Verb("announcement.create", create, True, "Write an announcement; it is a draft.", _CREATE, ANNOUNCEMENT_FIELDS),
    Verb(
        "announcement.update",
        update,
        True,
        "Change an announcement; nobody is told again.",
        _CREATE,
        {**_ONE, **changeable(ANNOUNCEMENT_FIELDS)},
    ),
    Verb("announcement.publish", publish, True, "Publish an announcement and tell its readers.", _CREATE, _ONE),
    Verb(
        "announcement.schedule",
        schedule,
        True,
        "Publish an announcement at a later moment.",
        _CREATE,
        {**_ONE, "publish_at": Instant(required=True)},
    ),
    Verb("announcement.unschedule", unschedule, True, "Take the planned moment back.", _CREATE, _ONE),
    Verb("announcement.archive", archive, True, "Put an announcement away.", _CREATE, _ONE),
    Verb("announcement.remove", remove, True, "Delete an announcement; notifications stay.", _CREATE, _ONE),
)
