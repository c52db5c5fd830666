"""Time travel over HTTP: the bookmark of a moment, and going back to one. Points are found elsewhere."""

import re

from db.clock import timestamp, timestamp_ms
from db.errors import Invalid, NotFound
from db.history.points import find_point
from db.history.points import restore as restore_vault
from db.vault.vault import Vault
from handlers.d1.access import enter
from handlers.d1.envelope import success
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services
from handlers.tenant.forgetting import settling

_UNIX_SECONDS = re.compile(r"\d{1,12}(\.\d{1,9})?")


def get_bookmark(services: Services, call: Call) -> Reply:
    """The bookmark of now, or of the last commit at or before a moment."""
    access, at = enter(services, call), _moment(call)
    with services.vault(access.entry) as vault:
        found = _newest(vault) if at is None else _bookmark_at(vault, at)
    return success({"bookmark": found}).with_headers(("x-d1-bookmark", found))


def restore(services: Services, call: Call) -> Reply:
    """Bring the database back to a bookmark or a moment, as a new commit; undone by the bookmark before it."""
    access, wanted = enter(services, call, writes=True), call.parameter("bookmark")
    at = _moment(call)
    if (wanted is None) == (at is None):
        raise Invalid("Invalid property: bookmark => wanted either a bookmark or a timestamp in the query string")
    charter = services.charter(access.entry)
    kind = services.kind(charter)
    with services.vault(access.entry) as vault:
        before = _newest(vault)
        target = wanted or _bookmark_at(vault, at or "")
        actor, settle = access.actor(call, "d1.restore"), settling(services, charter, vault)
        restore_vault(vault, services.site, target, actor, kind.sets, settle=settle)
        after = vault.bookmark
    told = {
        "bookmark": after,
        "previous_bookmark": before,
        "message": f"Database restored to the state at {target}. To undo this, restore to {before}.",
    }
    return success(told).with_headers(("x-d1-bookmark", after))


def _moment(call: Call) -> str | None:
    """The moment asked for as a timestamp, from Unix seconds or RFC 3339. Raises Invalid, also for one to come."""
    text = call.parameter("timestamp")
    if not text:
        return None
    # A plus sign that was not escaped in a query string reads as a space.
    text = text.strip().replace(" ", "+") if "T" in text else text.strip()
    if _UNIX_SECONDS.fullmatch(text):
        seconds, _, fraction = text.partition(".")
        ms = int(seconds) * 1000 + int(fraction.ljust(3, "0")[:3])
    else:
        ms = timestamp_ms(text, "timestamp")
    if ms > call.now.ms:
        raise Invalid(f"Invalid property: timestamp => {text} lies in the future", field="timestamp")
    return timestamp(ms)


def _bookmark_at(vault: Vault, at: str) -> str:
    try:
        return find_point(vault.log, at).bookmark
    except NotFound as exc:
        raise Invalid(
            f"Invalid property: timestamp => {at} is before the oldest state that is kept of this database",
            code="point_gone",
            field="timestamp",
        ) from exc


def _newest(vault: Vault) -> str:
    return vault.read(lambda tx: None).bookmark
