"""`/factors`: second factors of the signed-in person: enrol, challenge, verify, unenrol. Knows no digits."""

import json
from typing import Any

from db.errors import Forbidden, Invalid, NotAuthenticated
from db.fields import Text
from db.registry.attempts import FACTOR_BY_ACCOUNT, counter, give_back, take_attempt
from db.registry.directory import VaultEntry
from db.registry.factors import (
    Factor,
    NewFactor,
    answer_challenge,
    challenge_factor,
    enrol_factor,
    get_factor,
    has_factor,
    provisioning_uri,
    remove_factor,
)
from db.registry.notices import alert
from db.registry.refresh_tokens import renew_session
from db.registry.refusal import Refused
from db.registry.sessions import Refreshed, find_live_session, lower_sessions, raise_session, revoke_all_sessions
from db.transaction import WriteTx
from handlers.auth.caller import SignedIn, actor, person, read_body, require_shown, signed_in
from handlers.auth.once import answered, as_json
from handlers.auth.sessions import session_shown
from handlers.http.call import Call
from handlers.http.identity import Identity
from handlers.http.reply import Reply
from handlers.services import Services


def enrol(services: Services, call: Call) -> Reply:
    """A new factor with its secret, shown this once; a code of it makes it count.

    Raises Forbidden `insufficient_aal` when the account has a factor that this session did not show.
    """
    entry, identity = person(services, call)
    given: dict[str, Any] = read_body(call, {"friendly_name": Text(), "factor_type": Text(), "issuer": Text()})
    if given.get("factor_type") != "totp":
        kind = "webauthn" if given.get("factor_type") == "webauthn" else "phone"
        raise Invalid("factor_type: only totp is offered", code=f"mfa_{kind}_enroll_not_enabled", field="factor_type")

    def make(tx: WriteTx) -> tuple[NewFactor, str]:
        who = signed_in(identity, call)(tx)
        require_shown(tx, who)
        made = enrol_factor(tx, services.keyring, who.account.id, given.get("friendly_name"), call.now)
        return made, who.account.email

    def shown(_: WriteTx, done: tuple[NewFactor, str]) -> Reply:
        made, email = done
        uri = provisioning_uri(made.secret, email, given.get("issuer") or entry.name)
        body = {
            "id": made.factor.id,
            "type": made.factor.kind,
            "friendly_name": made.factor.friendly_name,
            "totp": {"qr_code": _qr_code(uri), "secret": made.secret, "uri": uri},
        }
        return Reply(200, json.dumps(body, ensure_ascii=False))

    return answered(services, call, actor(call, "auth.enrol_factor", identity), make, shown)


def challenge(services: Services, call: Call) -> Reply:
    """A challenge, which one code of the factor answers within 5 minutes."""
    _, identity = person(services, call)

    def ask(tx: WriteTx) -> dict[str, Any]:
        who = signed_in(identity, call)(tx)
        asked = challenge_factor(tx, who.account.id, call.path["factor"], who.session.id, call.now)
        return {"id": asked.id, "type": "totp", "expires_at": asked.expires_at_s}

    doer = actor(call, "auth.challenge_factor", identity)
    return answered(services, call, doer, ask, as_json)


def verify(services: Services, call: Call) -> Reply:
    """The session at `aal2`, for a code. The first code of a new factor ends the account's other sessions.

    Five wrong codes end the attempts for the rest of 15 minutes. Raises Invalid `mfa_challenge_expired` or
    `mfa_verification_failed`, RateLimited.
    """
    entry, identity = person(services, call)
    needed = Text(required=True)
    given: dict[str, Any] = read_body(call, {"challenge_id": needed, "code": Text(required=True, max_characters=20)})

    def answer(tx: WriteTx) -> Refreshed | Refused:
        return _answer(tx, services, call, entry, identity, given["challenge_id"], given["code"])

    doer = actor(call, "auth.verify_factor", identity)
    reply = answered(services, call, doer, answer, session_shown(services, call))
    services.deliver(services.registry)
    return reply


def unenrol(services: Services, call: Call) -> Reply:
    """The id of the factor that is gone. A verified one wants its code first: Forbidden `insufficient_aal`."""
    entry, identity = person(services, call)

    def remove(tx: WriteTx) -> Factor:
        who = signed_in(identity, call)(tx)
        factor = get_factor(tx, who.account.id, call.path["factor"])
        if factor.verified_at is not None:
            require_shown(tx, who)
        return drop_factor(tx, entry, who.account.id, factor.id, call)

    doer = actor(call, "auth.remove_factor", identity)
    reply = answered(services, call, doer, remove, _gone)
    services.deliver(services.registry)
    return reply


def _gone(_: WriteTx, factor: Factor) -> Reply:
    return Reply(200, json.dumps({"id": factor.id}))


def drop_factor(tx: WriteTx, entry: VaultEntry, account_id: str, factor_id: str, call: Call) -> Factor:
    """The factor that is gone; with the last one sessions are what they were without. Raises NotFound."""
    factor = remove_factor(tx, account_id, factor_id)
    if factor.verified_at is not None:
        alert(tx, "factor_removed", account_id, entry, call.now)
        if not has_factor(tx, account_id):
            lower_sessions(tx, account_id)
    return factor


def _answer(
    tx: WriteTx, services: Services, call: Call, entry: VaultEntry, identity: Identity, challenge_id: str, code: str
) -> Refreshed | Refused:
    who = signed_in(identity, call)(tx)
    account_id, session = who.account.id, who.session
    counters = (counter(services.keyring, FACTOR_BY_ACCOUNT, account_id),)
    first = not has_factor(tx, account_id)
    last = take_attempt(tx, counters, call.now)
    factor = answer_challenge(
        tx, services.keyring, account_id, call.path["factor"], challenge_id, session.id, code, call.now
    )
    if isinstance(factor, Refused):
        if last:
            alert(tx, "factor_guessed", account_id, entry, call.now)
        return factor
    give_back(tx, counters)
    if factor.verified_at is None:
        _require_first_or_shown(who, first=first)
        alert(tx, "factor_added", account_id, entry, call.now)
    if first:
        revoke_all_sessions(tx, account_id, "signed_out", call.now, keep_session_id=session.id)
    raise_session(tx, session, "totp", call.now)
    raised = find_live_session(tx, session.id, call.now)
    if raised is None:
        raise NotAuthenticated("this session has ended; sign in again", code="session_ended")
    return renew_session(tx, raised, who.account.email, call.now)


def _require_first_or_shown(who: SignedIn, *, first: bool) -> None:
    """A factor enrolled before another was verified must not get around that one."""
    if not first and who.session.aal != "aal2":
        raise Forbidden("show the factor you have first", code="insufficient_aal")


def _qr_code(uri: str) -> str:
    """The address as a picture, in SVG."""
    import segno  # here: only who enrols needs it

    return str(segno.make(uri).svg_inline(scale=4, border=2))
