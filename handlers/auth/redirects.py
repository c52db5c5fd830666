"""Where a sign-in may lead: the allow-list, and addresses with a session, a code or an error on them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from db.errors import Forbidden, Invalid, VaultError
from db.registry.directory import VaultEntry
from db.registry.sign_in_settings import is_allowed
from handlers.auth.caller import settings_of
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

REDIRECT_CHARACTERS = 2000
# The address may hold a session: it must not be told to anybody on the way.
_HEADERS = (("Referrer-Policy", "no-referrer"),)


def allowed_redirect(services: Services, entry: VaultEntry, address: str | None) -> str:
    """The address, if links of this vault may lead there, or '' for none. Raises Invalid `redirect_not_allowed`."""
    if not address:
        return ""
    own = f"{services.settings.base_url}/*"
    listed = (own, *services.settings.redirects, *settings_of(services, entry).redirects)
    if len(address) > REDIRECT_CHARACTERS or not is_allowed(address, listed):
        raise Invalid(
            "redirect_to: sign-in links of this vault may not lead there",
            code="redirect_not_allowed",
            field="redirect_to",
            hint="an operator adds it to auth.redirects of the vault or to VAULTRY_REDIRECTS",
        )
    return address


def redirect_parameter(services: Services, entry: VaultEntry, call: Call) -> str:
    """The `redirect_to` of the query, checked; '' for none. Raises Invalid."""
    return allowed_redirect(services, entry, call.parameter("redirect_to"))


def to_code(address: str, code: str) -> Reply:
    """To the client, with a code that it exchanges for a session."""
    return see_other(_with_query(address, {"code": code}))


def to_session(address: str, body: Mapping[str, Any], kind: str) -> Reply:
    """To the client, with the session in the fragment, which no server sees. kind: `type` as the client knows it."""
    names = ("access_token", "expires_at", "expires_in", "refresh_token", "token_type")
    parts = {name: body[name] for name in names} | {"type": kind}
    return see_other(f"{address.partition('#')[0]}#{urlencode(parts)}")


def to_error(address: str, error: VaultError, *, in_query: bool) -> Reply:
    """To the client, with what went wrong, where it looks for it: the query for PKCE, else the fragment."""
    parts = {"error": "access_denied", "error_code": error.code, "error_description": error.message}
    if in_query:
        return see_other(_with_query(address, parts))
    return see_other(f"{address.partition('#')[0]}#{urlencode(parts)}")


def see_other(address: str) -> Reply:
    """303 to an address."""
    return Reply(303, headers=(("Location", address), *_HEADERS))


def require_own_page(services: Services, call: Call) -> None:
    """Raise Forbidden for a form that another site sent: it would sign its visitor in as somebody else.

    Browsers of before 2023 say less: where the sender is named, it must be ourselves. Our own pages tell no referrer,
    so these browsers call them `null`, which is let pass.
    """
    site, origin = call.header("sec-fetch-site"), call.header("origin")
    if site is None and origin not in (None, "null"):
        own = (urlsplit(services.settings.base_url).netloc, call.header("host"))
        site = "same-origin" if urlsplit(origin or "").netloc in own else "cross-site"
    if site in ("cross-site", "same-site"):
        raise Forbidden("this form was sent by another site; open the link itself", code="cross_site")


def _with_query(address: str, more: Mapping[str, str]) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(more)))), fragment=""))
