"""Codes by mail: to sign in, to recover, to show once more who one is. The answer is the same for any address."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from db.errors import Invalid
from db.fields import Choice, Email, Field, Text
from db.registry.accounts import Account
from db.registry.attempts import MAIL_BY_NETWORK, take_attempt
from db.registry.directory import VaultEntry
from db.registry.email_codes import Errand, pending_errand, request_code
from db.transaction import WriteTx
from handlers.auth.caller import actor, by_network, person, read_body, signed_in
from handlers.auth.once import always, answered
from handlers.auth.redirects import redirect_parameter
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

# How links name an errand, as clients know it.
LINK_TYPES = {
    "sign_in": "email",
    "sign_up": "signup",
    "invite": "invite",
    "recovery": "recovery",
    "email_change": "email_change",
}
CHALLENGE = Text(max_characters=128)
CHALLENGE_CHARACTERS = 43


def request_otp(services: Services, call: Call) -> Reply:
    """Mail a six-digit code and a link that carries it, whether or not the address belongs to anybody."""
    return _mail(services, call, "sign_in")


def recover(services: Services, call: Call) -> Reply:
    """Mail a code and a link by which the person comes in to choose a new password."""
    return _mail(services, call, "recovery")


def resend(services: Services, call: Call) -> Reply:
    """Mail a new code for the sign-up or the change of address under way; a code to sign in where none is."""
    entry = services.entry(call.path["vault"])
    wanted = Choice(("signup", "email_change"), required=True)
    given: dict[str, Any] = read_body(call, {"type": wanted, "email": Email(required=True)})
    purpose = {"signup": "sign_up", "email_change": "email_change"}[given["type"]]
    email, redirect_to = given["email"], redirect_parameter(services, entry, call)

    def send(tx: WriteTx) -> None:
        errand = pending_errand(tx, email, entry.id, purpose, call.now) or Errand()
        send_code(tx, services, call, entry, email, errand, redirect_to)

    reply = answered(services, call, actor(call, "auth.resend"), send, always(200, "{}"))
    services.deliver(services.registry)
    return reply


def reauthenticate(services: Services, call: Call) -> Reply:
    """Mail the signed-in person a code that a change of the password asks for."""
    entry, identity = person(services, call)

    def send(tx: WriteTx) -> None:
        account: Account = signed_in(identity, call)(tx).account
        send_code(tx, services, call, entry, account.email, Errand("reauthentication", account.id), "")

    reply = answered(services, call, actor(call, "auth.reauthenticate", identity), send, always(200, "{}"))
    services.deliver(services.registry)
    return reply


def send_code(
    tx: WriteTx,
    services: Services,
    call: Call,
    entry: VaultEntry,
    email: str,
    errand: Errand,
    redirect_to: str,
    about: str = "",
    link_for: Callable[[str], str] | None = None,
) -> None:
    """A code in the outbox, counted against the address and the caller's network. Raises RateLimited.

    redirect_to: checked. about: a sentence of the mail on what exactly is confirmed. link_for: makes of the code the
    address in the mail; None = that of the page which does the errand.
    """
    take_attempt(tx, by_network(services, call, MAIL_BY_NETWORK), call.now)
    kind = LINK_TYPES.get(errand.purpose)

    def link(code: str) -> str:
        query = {"type": kind, "email": email, "token": code} | ({"redirect_to": redirect_to} if redirect_to else {})
        return f"{services.settings.base_url}/{entry.slug}/auth/v1/verify?{urlencode(query)}"

    request_code(
        tx,
        services.keyring,
        email,
        entry.id,
        call.now,
        vault_name=entry.name,
        link_for=link_for or (None if kind is None else link),
        errand=errand,
        about=about,
    )


def challenge_in(given: dict[str, Any]) -> str | None:
    """The PKCE challenge of a request, or None. Raises Invalid for another method than S256."""
    challenge: str | None = given.get("code_challenge")
    if challenge is None:
        return None
    method = (given.get("code_challenge_method") or "").lower()
    if method != "s256" or len(challenge) != CHALLENGE_CHARACTERS:
        raise Invalid("code_challenge: wanted the 43 characters of method s256", field="code_challenge")
    return challenge


def _mail(services: Services, call: Call, purpose: str) -> Reply:
    entry = services.entry(call.path["vault"])
    fields: dict[str, Field] = {
        "email": Email(required=True),
        "code_challenge": CHALLENGE,
        "code_challenge_method": CHALLENGE,
    }
    given: dict[str, Any] = read_body(call, fields)
    errand = Errand(purpose, code_challenge=challenge_in(given))
    redirect_to = redirect_parameter(services, entry, call)

    def send(tx: WriteTx) -> None:
        send_code(tx, services, call, entry, given["email"], errand, redirect_to)

    reply = answered(services, call, actor(call, "auth.request_code"), send, always(200, "{}"))
    services.deliver(services.registry)
    return reply
