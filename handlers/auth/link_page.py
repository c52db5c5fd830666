"""The page a sign-in link opens: a button, and nothing happens before it is pressed. Knows HTML; checks no token.

Mail scanners and link previews open every address they see. A link is used up by the POST of the button alone, so it
is still good when its owner comes.
"""

from html import escape
from string import Template
from urllib.parse import urlsplit

from db.errors import Invalid
from handlers.auth.redirects import allowed_redirect
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

# What a link may carry on to the sign-in, as `verify.verify_otp` takes it.
CARRIED = ("type", "email", "token", "token_hash", "invite_token", "redirect_to")
VALUE_CHARACTERS = 4096
_CONTENT = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'{to}; base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = (
    # The address holds the token: it must not be told to anybody.
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
# What the button does, and for whom, by the link's type.
_WORDS = {
    "signup": (
        "Confirm sign-up",
        (
            "This link confirms your sign-up with the password chosen then. Go on only if it was you who chose it; "
            "otherwise close this page."
        ),
    ),
    "recovery": ("Go on", "This link lets you choose a new password, once."),
    "invite": ("Accept the invitation", "This link accepts your invitation, once."),
    "email_change": ("Confirm the address", "This link confirms the change of your address, once."),
}
_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>Sign in to $vault</title>
<style>
  body { font: 1.1rem/1.5 system-ui, sans-serif; margin: 20vh auto; max-width: 24rem; padding: 0 1rem }
  button { font: inherit; padding: .6em 1.2em; cursor: pointer }
</style>
<h1>$vault</h1>
<p>$explained</p>
<form method="post" action="verify">
$carried
<button>$button</button>
</form>
</html>
""")


def show(services: Services, call: Call) -> Reply:
    """The page for the link's token, valid or not; looking at it changes nothing.

    Raises Invalid without a token, or for an address that links may not lead to.
    """
    entry = services.entry(call.path["vault"])
    given = {name: value for name in CARRIED if (value := call.parameter(name)) is not None}
    if not given.get("token_hash") and not (given.get("email") and given.get("token")):
        raise Invalid("this link lacks its token; open it as it stands in the mail", field="token_hash")
    if long := next((name for name, value in given.items() if len(value) > VALUE_CHARACTERS), None):
        raise Invalid(f"{long}: the limit is {VALUE_CHARACTERS} characters", field=long)
    redirect_to = allowed_redirect(services, entry, given.get("redirect_to"))
    button, explained = _WORDS.get(given.get("type", ""), ("Sign in", "This link signs you in, once."))
    inputs = [f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in given.items()]
    page = _PAGE.substitute(
        vault=escape(entry.name), explained=escape(explained), carried="\n".join(inputs), button=escape(button)
    )
    return Reply(200, page, "text/html; charset=utf-8", (content_policy(redirect_to), *PAGE_HEADERS))


def content_policy(redirect_to: str) -> tuple[str, str]:
    """The header that lets a page hold a form and nothing else. redirect_to: where its answer may lead, or ''."""
    # Browsers hold the rule for forms against the answer's redirect too.
    return "Content-Security-Policy", _CONTENT.format(to=f" {_origin(redirect_to)}" if redirect_to else "")


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"
