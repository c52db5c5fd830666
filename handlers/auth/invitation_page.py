"""`/{vault}/invite/accept`: the page an invitation's link opens. Knows HTML and steps; no charter's rule.

It needs no script: an address, the code that was mailed there, and in. Nothing happens before a button is pressed, for
mail scanners and link previews open every address they see. A link that was used leads whom it was meant for to the
same two steps, which then only sign in.
"""

from html import escape
from string import Template
from typing import Any
from urllib.parse import urlencode

from db.errors import Conflict, Invalid, NotAuthenticated, NotFound, VaultError
from db.fields import Email, Field, Text, parse_fields
from db.principal import guest
from db.registry.directory import VaultEntry
from db.registry.email_codes import SIGN_IN
from db.transaction import ReadTx, WriteTx
from handlers.auth.caller import TOKEN_CHARACTERS, actor
from handlers.auth.codes import send_code
from handlers.auth.invitations import accept_invitation
from handlers.auth.link_page import PAGE_HEADERS, content_policy
from handlers.auth.redirects import allowed_redirect, require_own_page, to_session
from handlers.auth.routes import INVITATION
from handlers.auth.sessions import new_session, require_registered, session_body
from handlers.auth.verify import PURPOSES, prove
from handlers.http.call import Call
from handlers.http.errors import error_reply
from handlers.http.reply import Reply
from handlers.services import Services

_GIVEN: dict[str, Field] = {
    "token": Text(required=True, max_characters=TOKEN_CHARACTERS),
    "email": Email(),
    "code": Text(max_characters=20),
    "redirect_to": Text(max_characters=TOKEN_CHARACTERS),
}
_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>$title</title>
<style>
  body { font: 1.1rem/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 26rem; padding: 0 1rem }
  label, input { display: block; font: inherit }
  input { box-sizing: border-box; margin: .3em 0 1em; padding: .5em; width: 100% }
  button { font: inherit; padding: .6em 1.2em; cursor: pointer }
</style>
<h1>$title</h1>
$told
$form
</html>
""")
_ASKED = {
    "email": '<label>Your e-mail address <input type="email" name="email" maxlength="254" required '
    'autocomplete="email" value="$value"></label>',
    "code": '<label>The six digits <input name="code" inputmode="numeric" maxlength="20" required '
    'autocomplete="one-time-code"></label>',
}


def show(services: Services, call: Call) -> Reply:
    """The page of an invitation's link: what it invites to, and the way in. Looking at it changes nothing."""
    title = "Invitation"
    try:
        entry = services.entry(call.path["vault"])
        title = entry.name
        names = {known: value for known in _GIVEN if (value := call.parameter(known)) is not None}
        given = _parsed(services, entry, names)
        return _shown(services, call, entry, given)
    except VaultError as exc:
        return _refused(exc, call, title)


def go_on(services: Services, call: Call) -> Reply:
    """The next step of the page: a code to the address, or with the code in."""
    title = "Invitation"
    try:
        entry = services.entry(call.path["vault"])
        title = entry.name
        require_own_page(services, call)
        given = _parsed(services, entry, call.form() or {})
        if not given.get("email"):
            raise Invalid("an address is needed to go on", field="email")
        if given.get("code"):
            return _come_in(services, call, entry, given)
        return _send(services, call, entry, given)
    except VaultError as exc:
        return _refused(exc, call, title)


def _parsed(services: Services, entry: VaultEntry, names: dict[str, str]) -> dict[str, Any]:
    """What the address or the form says. Raises Invalid."""
    if not names.get("token"):
        raise Invalid("this link lacks its token; open it as it was handed to you", field="token")
    given = parse_fields({known: names[known] for known in _GIVEN if known in names}, _GIVEN)
    allowed_redirect(services, entry, given.get("redirect_to"))
    return {name: value for name, value in given.items() if value}


def _invited_to(
    services: Services, call: Call, entry: VaultEntry, token: str
) -> tuple[dict[str, Any] | None, tuple[str, str]]:
    """What the token invites to, None for one that is unknown or was used; and the header that says of which commit.

    Raises Gone `invite_expired`.
    """
    charter = services.charter(entry)
    verb = charter.verb(charter.invitation) if charter.invitation else None
    if verb is None:
        raise NotFound("nobody is invited here by a link")
    run = verb.run

    def read(tx: ReadTx) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = run(tx, guest(entry.scope), {"token": token}, call.now)
        except NotFound:
            return None
        return found

    with services.vault(entry) as vault:
        answer = vault.read(read, call.freshness)
    return answer.value, ("x-d1-bookmark", answer.bookmark)


def _shown(services: Services, call: Call, entry: VaultEntry, given: dict[str, Any]) -> Reply:
    """The first step, or of the link in the mail the last one. 404 for a token that is unknown or was used."""
    invited, mark = _invited_to(services, call, entry, given["token"])
    if given.get("email") and given.get("code"):
        return _page(200, _name(entry, invited), [f"Go on as {given['email']}."], given, (), "Go on").with_headers(mark)
    if invited is None:
        told = "This invitation is unknown or was used already. If it was yours, sign in with your address."
        return _page(404, entry.name, [told], given, ("email",), "Send me a code").with_headers(mark)
    told = (
        f"You are invited to {invited['organization']}, as {invited['name']}, until {_spoken(invited['expires_at'])}."
    )
    how = "Say under which e-mail address you want to sign in. A code goes there."
    return _page(200, str(invited["organization"]), [told, how], given, ("email",), "Send me a code").with_headers(mark)


def _send(services: Services, call: Call, entry: VaultEntry, given: dict[str, Any]) -> Reply:
    """A code to the address, with a link that brings it back here. Raises RateLimited, Gone."""
    invited, mark = _invited_to(services, call, entry, given["token"])

    def link(code: str) -> str:
        query = urlencode({**{known: given[known] for known in given if known != "code"}, "code": code})
        return f"{services.settings.base_url}/{entry.slug}/{INVITATION}?{query}"

    def send(tx: WriteTx) -> None:
        send_code(tx, services, call, entry, given["email"], SIGN_IN, "", link_for=link)

    services.registry_write(send, actor(call, "auth.request_code"), call.now)
    services.deliver(services.registry)
    told = f"A code was sent to {given['email']}. It is good for five minutes; the link beside it does the same."
    return _page(200, _name(entry, invited), [told], given, ("code",), "Go on").with_headers(mark)


def _come_in(services: Services, call: Call, entry: VaultEntry, given: dict[str, Any]) -> Reply:
    """Take the code, accept, and go where the link leads, else say that it is done.

    Raises NotAuthenticated for the code, Gone, Forbidden `not_registered` for a stranger with a used link.
    """
    invited, mark = _invited_to(services, call, entry, given["token"])
    name = _name(entry, invited)
    code = {"email": given["email"], "token": given["code"]}
    try:
        account = prove(services, call, entry, code, PURPOSES["email"]).account
    except NotAuthenticated as exc:
        # The digits were mistyped, or their time is over: another try, or another code.
        again = {known: given[known] for known in given if known != "code"}
        return _page(401, name, [exc.message], again, ("code",), "Go on", (_back(again),)).with_headers(mark)
    if account is None:
        raise AssertionError("a code to sign in has an account")
    told = f"You are a member of {name} now."
    try:
        accept_invitation(services, call, entry, account, given["token"])
    except (NotFound, Conflict):
        told = f"You are a member of {name} already."
    if not given.get("redirect_to"):
        # Nobody is there to take a session: it begins where the person signs in next.
        require_registered(services, entry, account)
        return _page(200, name, [told, f"Sign in as {account.email} wherever its pages ask you to."])
    session = new_session(services, call, entry, account, "otp")
    body = services.registry_read(lambda tx: session_body(tx, services, call, session))
    return to_session(given["redirect_to"], body, "invite")


def _name(entry: VaultEntry, invited: dict[str, Any] | None) -> str:
    """Of what one is invited to; of the vault where nothing says more."""
    return entry.name if invited is None else str(invited["organization"])


def _back(given: dict[str, Any]) -> str:
    """A way back to the first step."""
    kept: dict[str, Any] = {known: given[known] for known in ("token", "redirect_to") if known in given}
    query = escape(urlencode(kept))
    return f'<p><a href="accept?{query}">Another code</a></p>'


def _refused(error: VaultError, call: Call, title: str) -> Reply:
    """What went wrong, in words."""
    told = error_reply(error, call.request_id)
    hint = [error.hint] if error.hint and told.status < 500 else []
    message = error.message if told.status < 500 else "Something went wrong here; try again in a while."
    shown = _page(told.status, title, [message, *hint])
    return Reply(told.status, shown.body, shown.media_type, (*told.headers, *shown.headers))


def _page(
    status: int,
    title: str,
    told: list[str],
    given: dict[str, Any] | None = None,
    asked: tuple[str, ...] = (),
    button: str = "",
    further: tuple[str, ...] = (),
) -> Reply:
    """A page. given: what its form carries on; None = it has no form. asked: what the form asks for."""
    form = ""
    if given is not None:
        carried = [
            f'<input type="hidden" name="{name}" value="{escape(str(value))}">'
            for name, value in given.items()
            if name not in asked
        ]
        inputs = [Template(_ASKED[name]).substitute(value=escape(str(given.get(name, "")))) for name in asked]
        lines = "\n".join((*carried, *inputs))
        form = f'<form method="post" action="accept">\n{lines}\n<button>{escape(button)}</button>\n</form>'
    page = _PAGE.substitute(
        title=escape(title),
        told="\n".join(f"<p>{escape(line[:1].upper() + line[1:])}</p>" for line in told),
        form="\n".join((form, *further)),
    )
    headers = (content_policy((given or {}).get("redirect_to", "")), *PAGE_HEADERS)
    return Reply(status, page, "text/html; charset=utf-8", headers)


def _spoken(timestamp: str) -> str:
    """A timestamp as people read it, to the minute."""
    return f"{timestamp[:10]} {timestamp[11:16]} UTC"
