"""`/openapi.json`, `/{vault}/openapi.json` and `/{vault}/rest/v1/`: the descriptions. Authenticates and answers."""

import json
from collections.abc import Callable
from typing import Any

from db.description.openapi2 import openapi2
from db.errors import NotAcceptable
from db.registry.directory import VaultEntry
from db.rest.preconditions import parse_preconditions, tag_of
from db.rest.preferences import check_profile
from db.transaction import ReadTx
from handlers.description.document import VERSION, platform_document, vault_document
from handlers.description.offer import Offer, offer_to
from handlers.http.call import Call
from handlers.http.identity import Identity, identify, identify_at_rest
from handlers.http.reply import Reply
from handlers.rest.replies import VARY, allow_reply
from handlers.services import Services

_OPENAPI_2 = "application/openapi+json"
_ACCEPTED = frozenset({"*/*", "application/*", "application/json", _OPENAPI_2})
_REST_NOTE = "The tables and verbs that the caller may use"


def serve_platform(services: Services, call: Call) -> Reply:
    """The description of what every vault has."""
    return _reply(call, platform_document(services.settings.base_url))


def serve_vault(services: Services, call: Call) -> Reply:
    """The description of a vault, as far as the caller's rights go."""
    slug, base_url = call.path["vault"], services.settings.base_url
    name, offer, bookmark = _offered(services, call)
    return _reply(call, vault_document(name, base_url, slug, offer)).with_headers(("x-d1-bookmark", bookmark))


def serve_rest(services: Services, call: Call) -> Reply:
    """The description of tables and verbs as PostgREST gives it. Raises NotAcceptable PGRST106, PGRST107."""
    if call.method == "OPTIONS":
        identify_at_rest(services, call, services.entry(call.path["vault"]))
        return allow_reply(("GET", "HEAD"))
    check_profile(call.headers)
    _check_accept(call)
    name, offer, bookmark = _offered(services, call, identify_at_rest)
    about = {"title": name, "description": _REST_NOTE, "version": VERSION}
    document = openapi2(about, f"/{call.path['vault']}/rest/v1", offer.tables, offer.verbs)
    return _reply(call, document, f"{_OPENAPI_2}; charset=utf-8").with_headers(("x-d1-bookmark", bookmark))


def _offered(
    services: Services, call: Call, identified: Callable[[Services, Call, VaultEntry], Identity] = identify
) -> tuple[str, Offer, str]:
    """The vault's name, what the caller is offered, and the bookmark of the commit that says so."""
    entry = services.entry(call.path["vault"])
    identity = identified(services, call, entry)
    with services.vault(entry) as vault:

        def read(tx: ReadTx) -> Offer:
            return offer_to(services, vault, tx, entry, identity)

        answer = vault.read(read, call.freshness)
    return entry.name, answer.value, answer.bookmark


def _reply(call: Call, document: dict[str, Any], media_type: str = "application/json; charset=utf-8") -> Reply:
    """The document, or 304 when the caller has it."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    tag = tag_of(body, None)
    if parse_preconditions(call.headers).is_unchanged(tag):
        return Reply(304, headers=(("ETag", tag), VARY))
    return Reply(200, body, media_type, (("ETag", tag), VARY))


def _check_accept(call: Call) -> None:
    accepted = ",".join(value for name, value in call.headers if name == "accept")
    wanted = [part.partition(";")[0].strip().lower() for part in accepted.split(",") if part.strip()]
    if wanted and _ACCEPTED.isdisjoint(wanted):
        raise NotAcceptable(f"None of these media types are available: {', '.join(wanted)}", code="PGRST107")
