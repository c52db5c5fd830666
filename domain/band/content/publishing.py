"""Publishing pages: now, at a planned moment, or no longer. Knows the states of a page; not its content."""

from collections.abc import Mapping
from typing import Any, LiteralString

from db.clock import Moment
from db.errors import Conflict, Invalid
from db.fields import Field, Instant, Text
from db.principal import Principal
from db.transaction import Row, WriteTx
from domain.band.content.pages import live_page, page_row
from domain.band.content.rendering import is_blank
from domain.band.trash import open_trash_until, refuse_deleted, refuse_restoring, trash_verb
from domain.charter import Args, Verb

STATUSES = ("DRAFT", "SCHEDULED", "PUBLISHED", "ARCHIVED")
_FROM: Mapping[str, tuple[str, ...]] = {
    "publish": ("DRAFT", "SCHEDULED", "ARCHIVED"),
    "schedule": ("DRAFT", "SCHEDULED"),
    "unschedule": ("SCHEDULED",),
    "unpublish": ("PUBLISHED",),
    "archive": ("DRAFT", "SCHEDULED", "PUBLISHED"),
    "unarchive": ("ARCHIVED",),
}


def require_step(row: Row, step: str, noun: str) -> None:
    """Raise Conflict `invalid_transition` unless the step can be taken from the row's status."""
    if row["status"] not in _FROM[step]:
        wanted = " or ".join(_FROM[step])
        raise Conflict(f"the {noun} is {row['status']}, wanted {wanted}", code="invalid_transition")


_SET = """
UPDATE pages
   SET status = :status, published_at = :published_at, scheduled_for = :scheduled_for, updated_at = :now,
       updated_by = :by
 WHERE id = :id
"""


def _set(
    tx: WriteTx, page: Row, status: str, principal: Principal, now: Moment, *, scheduled_for: str | None = None
) -> dict[str, Any]:
    published_at = now.text if status == "PUBLISHED" else page["published_at"]
    tx.execute(
        _SET,
        id=page["id"],
        status=status,
        published_at=published_at,
        scheduled_for=scheduled_for,
        now=now.text,
        by=principal.id,
    )
    return {"id": page["id"], "status": status, "published_at": published_at, "scheduled_for": scheduled_for}


def publish(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, status, dates. Raises NotFound, Conflict `invalid_transition`, Invalid `empty_page`."""
    page = live_page(tx, args["page_id"])
    require_step(page, "publish", "page")
    if is_blank(page):
        raise Invalid("the page has neither content nor markdown", code="empty_page")
    return _set(tx, page, "PUBLISHED", principal, now)


def schedule(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, status, dates. Raises NotFound, Conflict `invalid_transition`, Invalid `schedule_in_past`."""
    page, moment = live_page(tx, args["page_id"]), args["scheduled_for"]
    require_step(page, "schedule", "page")
    refuse_past(moment, now, "scheduled_for")
    return _set(tx, page, "SCHEDULED", principal, now, scheduled_for=moment)


def refuse_past(moment: str, now: Moment, field: str) -> None:
    """Raise Invalid `schedule_in_past` for a moment that is not later than now."""
    if moment <= now.text:
        raise Invalid(f"{field}: {moment} is not in the future", code="schedule_in_past", field=field)


def unschedule(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, status, dates. Raises NotFound, Conflict `invalid_transition`."""
    page = live_page(tx, args["page_id"])
    require_step(page, "unschedule", "page")
    return _set(tx, page, "DRAFT", principal, now)


def unpublish(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, status, dates; when it was published stays. Raises NotFound, Conflict `invalid_transition`."""
    page = live_page(tx, args["page_id"])
    require_step(page, "unpublish", "page")
    return _set(tx, page, "DRAFT", principal, now)


def archive(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, status, dates. Raises NotFound, Conflict `invalid_transition`."""
    page = live_page(tx, args["page_id"])
    require_step(page, "archive", "page")
    return _set(tx, page, "ARCHIVED", principal, now)


def unarchive(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, status, dates. Raises NotFound, Conflict `invalid_transition`."""
    page = live_page(tx, args["page_id"])
    require_step(page, "unarchive", "page")
    return _set(tx, page, "DRAFT", principal, now)


_TRASHED: LiteralString = """
SELECT id, title, slug, status, deleted_at FROM pages WHERE deleted_at IS NOT NULL
"""
_TRASH = "UPDATE pages SET deleted_at = :now, updated_at = :now, updated_by = :by WHERE id = :id"
_BACK = """
UPDATE pages SET deleted_at = NULL, status = 'DRAFT', scheduled_for = NULL, updated_at = :now, updated_by = :by
 WHERE id = :id
"""


def delete(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Id, and until when the page can come back. Raises NotFound, Conflict `already_deleted`."""
    page = page_row(tx, args["page_id"])
    refuse_deleted(page, "page")
    tx.execute(_TRASH, id=page["id"], now=now.text, by=principal.id)
    return {"id": page["id"], "restorable_until": open_trash_until(now.text)}


def restore(tx: WriteTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """The id; the page comes back as a draft. Raises NotFound, Conflict `not_deleted`, `restore_window_closed`."""
    page = page_row(tx, args["page_id"])
    refuse_restoring(page, "page", now)
    tx.execute(_BACK, id=page["id"], now=now.text, by=principal.id)
    return {"id": page["id"]}


_DUE = """
UPDATE pages SET status = 'PUBLISHED', published_at = :now, scheduled_for = NULL, updated_at = :now
 WHERE status = 'SCHEDULED' AND scheduled_for <= :now AND deleted_at IS NULL
"""


def publish_due(tx: WriteTx, now: Moment) -> int:
    """Publish the pages whose moment has come; how many."""
    return tx.execute(_DUE, now=now.text)


_PUBLISH, _DELETE = ("cms.publish",), ("cms.delete",)
_PAGE: dict[str, Field] = {"page_id": Text(required=True)}

VERBS = (
    Verb("page.publish", publish, True, "Show a page to everybody.", _PUBLISH, _PAGE),
    Verb(
        "page.schedule",
        schedule,
        True,
        "Publish a page at a later moment.",
        _PUBLISH,
        {**_PAGE, "scheduled_for": Instant(required=True)},
    ),
    Verb("page.unschedule", unschedule, True, "Take the planned moment back.", _PUBLISH, _PAGE),
    Verb("page.unpublish", unpublish, True, "Make a published page a draft.", _PUBLISH, _PAGE),
    Verb("page.archive", archive, True, "Put a page away.", _PUBLISH, _PAGE),
    Verb("page.unarchive", unarchive, True, "Make an archived page a draft.", _PUBLISH, _PAGE),
    Verb("page.delete", delete, True, "Put a page in the trash for 30 days.", _DELETE, _PAGE),
    Verb("page.restore", restore, True, "Bring a page back from the trash.", _DELETE, _PAGE),
    trash_verb("page.trash", "Pages", _TRASHED, "cms.delete"),
)
