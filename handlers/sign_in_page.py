"""The page a sign-in link opens: a button, and nothing happens before it is pressed. Knows HTML; checks no token.

Mail scanners and link previews open every address they see. A link is used up by the POST of the button alone, so it
is still good when its owner comes.
"""

from html import escape
from string import Template

from db.errors import Invalid
from handlers.call import Call
from handlers.reply import Reply
from handlers.services import Services

# What a link may carry on to the sign-in, as `auth.verify_otp` takes it.
CARRIED = ("type", "email", "token", "token_hash", "invite_token")
VALUE_CHARACTERS = 4096
_CONTENT = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_HEADERS = (
    ("Content-Security-Policy", _CONTENT),
    # The address holds the token: it must not be told to anybody.
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
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
<p>This link signs you in, once.</p>
<form method="post" action="verify">
$carried
<button>Sign in</button>
</form>
</html>
""")


def show(services: Services, call: Call) -> Reply:
    """The page for the link's token, valid or not; looking at it changes nothing. Raises Invalid without a token."""
    entry = services.entry(call.path["vault"])
    given = {name: value for name in CARRIED if (value := call.parameter(name)) is not None}
    if not given.get("token_hash") and not (given.get("email") and given.get("token")):
        raise Invalid("this link lacks its token; open it as it stands in the mail", field="token_hash")
    if long := next((name for name, value in given.items() if len(value) > VALUE_CHARACTERS), None):
        raise Invalid(f"{long}: the limit is {VALUE_CHARACTERS} characters", field=long)
    inputs = [f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in given.items()]
    page = _PAGE.substitute(vault=escape(entry.name), carried="\n".join(inputs))
    return Reply(200, page, "text/html; charset=utf-8", _HEADERS)
