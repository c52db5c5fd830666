"""`POST /signup`: a password chosen for an address that is still to be proved. Makes no account; the proof does.

The answer and the work are the same whether the address is new, waits for its proof, or has an account.
"""

import json
from typing import Any

from db.errors import Forbidden, Invalid
from db.fields import Email, JsonObject
from db.passwords import hash_password, verify_password
from db.registry.account_changes import merged_metadata
from db.registry.attempts import MAIL_BY_NETWORK, require_attempt
from db.registry.email_codes import Errand, drop_pending_passwords, pending_errand
from db.transaction import WriteTx
from handlers.auth.caller import REQUIRED_PASSWORD, actor, by_network, read_body, settings_of
from handlers.auth.codes import CHALLENGE, challenge_in, send_code
from handlers.auth.once import always, answered
from handlers.auth.redirects import redirect_parameter
from handlers.auth.user_shape import unconfirmed_user
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services


def sign_up(services: Services, call: Call) -> Reply:
    """Mail a code to the address; whoever brings it back has an account with this password.

    Who then gets in is decided at that moment: the vault knows the person, or everybody may sign up. Raises Forbidden
    `signup_disabled`, Invalid `anonymous_provider_disabled`.
    """
    entry = services.entry(call.path["vault"])
    if settings_of(services, entry).signup == "off":
        raise Forbidden("nobody signs up here; ask for an invitation", code="signup_disabled")
    if not ({"email", "phone", "password"} & call.json_object().keys()):
        raise Invalid("nobody signs in without a name here", code="anonymous_provider_disabled", field="email")
    given: dict[str, Any] = read_body(
        call,
        {
            "email": Email(required=True),
            "password": REQUIRED_PASSWORD,
            "data": JsonObject(),
            "code_challenge": CHALLENGE,
            "code_challenge_method": CHALLENGE,
        },
    )
    email: str = given["email"]
    data: dict[str, Any] = given.get("data") or {}
    merged_metadata({}, data)
    # Hashing takes its time on purpose: a network that is over its limit gets none of it.
    services.registry_read(lambda tx: require_attempt(tx, by_network(services, call, MAIL_BY_NETWORK), call.now))
    redirect_to, challenge = redirect_parameter(services, entry, call), challenge_in(given)
    hashed = hash_password(given["password"], call.now)
    waiting = services.registry_read(lambda tx: pending_errand(tx, email, entry.id, "sign_up", call.now), current=True)
    stored = None if waiting is None else waiting.password_hash
    same = verify_password(given["password"], stored)
    account_id = call.now.new_id() if waiting is None or waiting.account_id is None else waiting.account_id

    def ask(tx: WriteTx) -> None:
        chosen: str | None = hashed
        if waiting is not None and not same:
            # Somebody else signs up with this address, or somebody forgot: whose password it is cannot be known.
            drop_pending_passwords(tx, email, entry.id)
            chosen = None
        errand = Errand("sign_up", account_id, chosen, data, challenge)
        send_code(tx, services, call, entry, email, errand, redirect_to)

    body = json.dumps(unconfirmed_user(account_id, email, data, call.now.text), ensure_ascii=False)
    reply = answered(services, call, actor(call, "auth.sign_up"), ask, always(200, body))
    services.deliver(services.registry)
    return reply
