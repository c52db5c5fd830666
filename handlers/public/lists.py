"""`/public/v1`: what anybody may read of all vaults together, without signing in. Opens no vault, knows no list.

The lines come from the registry, where every vault's are gathered. A page is kept in this process for as long as the
registry stands at the same commit, and outside for as long as the settings say.
"""

import base64
import json
from dataclasses import astuple, dataclass
from typing import Any
from urllib.parse import urlencode

from db.errors import Invalid, NotFound
from db.fields import is_json_list
from db.registry.attempts import network_of
from db.registry.public_lines import MAX_LINES, Position, PublicPage, list_public_lines
from db.registry.slugs import slug_availability
from db.rest.preconditions import parse_preconditions, tag_of
from domain.charters import CHARTERS
from handlers.http.call import Call
from handlers.http.errors import error_reply
from handlers.http.reply import Reply
from handlers.public.publishing import list_name
from handlers.services import Services

PATH = "/public/v1"
DEFAULT_LINES = 100


@dataclass(frozen=True, slots=True)
class _Page:
    """A page as it is answered."""

    body: str
    tag: str
    after: Position | None


def show_list(services: Services, call: Call) -> Reply:
    """One page of a public list: an array of lines, and where to go on as `Link: <...>; rel="next"`."""
    _take(services, call)
    name = _declared(call.path["charter"], call.path["verb"])
    limit, after = _limit(call), _position(call)
    page = _page(services, name, limit, after)
    age = services.settings.public_cache_s
    headers = [("ETag", page.tag), ("Cache-Control", f"public, max-age={age}" if age else "no-cache")]
    if page.after is not None:
        query = urlencode({"limit": limit, "after": _written(page.after)})
        headers.append(("Link", f'<{services.settings.base_url}{PATH}/{name}?{query}>; rel="next"'))
    if parse_preconditions(call.headers).is_unchanged(page.tag):
        return Reply(304, headers=tuple(headers))
    return Reply(200, page.body, headers=tuple(headers))


def check_name(services: Services, call: Call) -> Reply:
    """Whether an address is free on the platform, else why not; 400 names the rule a malformed one breaks."""
    _take(services, call)
    slug = call.path["slug"]
    try:
        found = services.registry_read(lambda tx: slug_availability(tx, slug), current=True)
    except Invalid as exc:
        refused = error_reply(exc, call.request_id)
        return Reply(refused.status, json.dumps({"available": False, **json.loads(refused.body)}, ensure_ascii=False))
    told: dict[str, Any] = {"available": True} if found == "available" else {"available": False, "reason": found}
    return Reply(200, json.dumps(told))


def _take(services: Services, call: Call) -> None:
    services.public_reads.take(network_of(call.address), call.now.ms)


def _declared(charter_name: str, verb: str) -> str:
    """The list's name in the registry. Raises NotFound for what no charter declares public."""
    if charter_name in CHARTERS:
        charter = CHARTERS[charter_name]
        if any(known.verb == verb for known in charter.public):
            return list_name(charter, verb)
    raise NotFound(f"no public list {charter_name[:40]}/{verb[:80]}", code="no_route")


def _page(services: Services, name: str, limit: int, after: Position) -> _Page:
    """The page, as kept or anew."""
    question = (name, limit, after)
    kept = services.public_pages.find(question, services.registry_answer(_nothing).bookmark)
    if isinstance(kept, _Page):
        return kept
    answer = services.registry_answer(lambda tx: list_public_lines(tx, name, limit, after))
    found: PublicPage = answer.value
    body = f"[{','.join(found.texts)}]"
    page = _Page(body, tag_of(body, None), found.after)
    services.public_pages.keep(question, answer.bookmark, page)
    return page


def _nothing(tx: object) -> None:
    """Only the bookmark is wanted."""


def _limit(call: Call) -> int:
    text = call.parameter("limit")
    if text is None:
        return DEFAULT_LINES
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= MAX_LINES):
        raise Invalid(f"limit: got {text[:40]!r}, wanted 1 to {MAX_LINES}", field="limit")
    return int(text)


def _position(call: Call) -> Position:
    """Where the page before ended. Raises Invalid for text that no `next` link has."""
    text = call.parameter("after")
    if not text:
        return Position()
    try:
        parts: Any = json.loads(base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
        if is_json_list(parts) and len(parts) == 3 and all(isinstance(part, str) for part in parts):
            # Half a pair of surrogates is text to JSON, and to nothing else.
            return Position(*(str(part).encode().decode() for part in parts))
    except (ValueError, RecursionError):
        pass
    raise Invalid("after: not from a `next` link", field="after")


def _written(position: Position) -> str:
    text = json.dumps(astuple(position), ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
