"""`POST /verify`: a session for a code and its address, or for the token of a link. Takes each once."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from db.errors import Forbidden, Invalid, VaultError
from db.fields import Email, Text
from db.registry.account_changes import agree_to_email, merge_user_metadata
from db.registry.accounts import Account, find_account, find_account_by_email, get_account, sign_in_by_mail
from db.registry.attempts import CODE_BY_NETWORK, give_back, take_attempt
from db.registry.code_proofs import VerifiedEmail, verify_code, verify_code_token
from db.registry.directory import VaultEntry
from db.registry.notices import alert
from db.registry.one_time_links import LINK_PREFIX, use_link_token
from db.registry.refusal import Refused, accepted
from db.registry.sessions import revoke_all_sessions
from db.registry.sign_in_flows import Exchanged, begin_flow, complete_flow
from db.transaction import WriteTx
from handlers.auth.caller import TOKEN_CHARACTERS, actor, by_network, read_body
from handlers.auth.invitations import accept_invitation
from handlers.auth.once import begun, keep_step
from handlers.auth.redirects import allowed_redirect, require_own_page, to_code, to_error, to_session
from handlers.auth.sessions import enter, new_session, require_registered, session_body
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

_SIGNS_IN = ("sign_in", "sign_up", "invite")
# What each `type` of the clients accepts.
PURPOSES = {
    "email": _SIGNS_IN,
    "magiclink": _SIGNS_IN,
    "signup": _SIGNS_IN,
    "invite": _SIGNS_IN,
    "recovery": ("recovery",),
    "email_change": ("email_change",),
}
_METHODS = {"sign_in": "otp", "sign_up": "email/signup", "invite": "invite", "recovery": "recovery"}


@dataclass(frozen=True, slots=True)
class Proof:
    """Somebody who came by mail. account None: one of two mailboxes agreed to a change of address, no more."""

    account: Account | None
    method: str
    code_challenge: str | None = None


def verify_otp(services: Services, call: Call) -> Reply:
    """A session, as JSON, or for the button of a link's page at the address the link leads to.

    invite_token: an invitation to accept on the way in, for somebody who is nobody here yet.
    """
    entry = services.entry(call.path["vault"])
    token = Text(max_characters=TOKEN_CHARACTERS)
    given: dict[str, Any] = read_body(
        call,
        {
            "type": Text(),
            "email": Email(),
            "token": Text(max_characters=20),
            "token_hash": token,
            "invite_token": token,
            "redirect_to": token,
        },
    )
    from_page = call.form() is not None
    if from_page:
        require_own_page(services, call)
    redirect_to = allowed_redirect(services, entry, given.get("redirect_to")) if from_page else ""
    try:
        return _enter(services, call, entry, given, redirect_to)
    except VaultError as exc:
        if not redirect_to:
            raise
        return to_error(redirect_to, exc, in_query=False)


def _enter(services: Services, call: Call, entry: VaultEntry, given: dict[str, Any], redirect_to: str) -> Reply:
    kind = given.get("type") or "email"
    if kind not in PURPOSES:
        raise Invalid(f"type: got {kind!r}, wanted one of {', '.join(PURPOSES)}", field="type")
    doer = actor(call, "auth.verify_code")
    before = begun(services, call, doer)
    if before.reply is not None:
        return before.reply
    if before.done:
        account_id = before.done["account"]
        account = services.registry_read(lambda tx: get_account(tx, account_id)) if account_id else None
        proof = Proof(account, before.done["method"], before.done["challenge"])
    else:
        proof = prove(services, call, entry, given, PURPOSES[kind])
    if proof.account is None:
        return Reply(200, json.dumps({"code": "200", "msg": "confirm the link sent to the other address too"}))
    if given.get("invite_token"):
        accept_invitation(services, call, entry, proof.account, given["invite_token"])
    if redirect_to and proof.code_challenge is not None:
        return _to_client(services, call, entry, proof.account, proof, redirect_to)
    if redirect_to:
        session = new_session(services, call, entry, proof.account, proof.method)
        body = services.registry_read(lambda tx: session_body(tx, services, call, session))
        return to_session(redirect_to, body, kind)
    return enter(services, call, entry, proof.account, proof.method, doer=actor(call, "auth.session"))


def prove(services: Services, call: Call, entry: VaultEntry, given: dict[str, Any], purposes: Collection[str]) -> Proof:
    """Who came, by whatever was given. purposes: what the code may be for. Raises NotAuthenticated, RateLimited."""
    token_hash: str | None = given.get("token_hash")
    if token_hash and token_hash.startswith(LINK_PREFIX):
        return _by_operators_link(services, call, entry, token_hash)
    if not token_hash and not (given.get("email") and given.get("token")):
        raise Invalid("wanted email and token, or token_hash", field="token")
    network = by_network(services, call, CODE_BY_NETWORK)

    def verify(tx: WriteTx) -> Proof | Refused:
        take_attempt(tx, network, call.now)
        if token_hash:
            verified: VerifiedEmail | Refused = verify_code_token(tx, token_hash, entry.id, call.now, purposes)
        else:
            verified = verify_code(
                tx, services.keyring, given["email"], given["token"], entry.id, call.now, tuple(purposes)
            )
        if isinstance(verified, Refused):
            return verified
        give_back(tx, network)
        done = _complete(tx, call, entry, verified)
        _keep(tx, services, call, done)
        return done

    # A wrong guess is counted by the same commit: it must stand although it is refused.
    proof = accepted(services.registry_write(verify, actor(call, "auth.verify_code"), call.now))
    if proof.method == "email_change":
        services.deliver(services.registry)
    return proof


def _complete(tx: WriteTx, call: Call, entry: VaultEntry, verified: VerifiedEmail) -> Proof:
    """Do the errand of the code."""
    errand = verified.errand
    if errand.purpose == "email_change":
        return _change_email(tx, call, entry, verified)
    if errand.purpose == "sign_up":
        return Proof(_signed_up(tx, call, verified), "email/signup", errand.code_challenge)
    account = sign_in_by_mail(tx, verified.email, call.now)
    return Proof(account, _METHODS[errand.purpose], errand.code_challenge)


def _signed_up(tx: WriteTx, call: Call, verified: VerifiedEmail) -> Account:
    """The account, with the password that was chosen, unless the address had its owner before."""
    errand, before = verified.errand, find_account_by_email(tx, verified.email)
    account = sign_in_by_mail(tx, verified.email, call.now, account_id=errand.account_id)
    if before is not None and before.email_confirmed_at is not None:
        return account
    if errand.password_hash is not None:
        change = "UPDATE accounts SET password_hash = :hash WHERE id = :id"
        tx.execute(change, id=account.id, hash=errand.password_hash)
    return merge_user_metadata(tx, account.id, errand.user_metadata, call.now) if errand.user_metadata else account


def _change_email(tx: WriteTx, call: Call, entry: VaultEntry, verified: VerifiedEmail) -> Proof:
    account = find_account(tx, verified.errand.account_id or "")
    mailbox = "old" if account is not None and verified.email == account.email else "new"
    if account is None or (mailbox == "new" and verified.email != account.new_email):
        raise Invalid("this change of address is over; ask for it again", code="code_expired")
    changed = agree_to_email(tx, account, mailbox, call.now)
    if changed.email == account.email:
        return Proof(None, "email_change")
    revoke_all_sessions(tx, account.id, "signed_out", call.now)
    alert(tx, "email_changed", account.id, entry, call.now, to=account.email)
    return Proof(changed, "email_change")


def _by_operators_link(services: Services, call: Call, entry: VaultEntry, token: str) -> Proof:
    def use(tx: WriteTx) -> Proof:
        linked = use_link_token(tx, token, call.now)
        if linked.vault_id != entry.id:
            raise Forbidden("this sign-in link is for another vault", code="wrong_audience")
        proof = Proof(linked.account, "magiclink")
        _keep(tx, services, call, proof)
        return proof

    return services.registry_write(use, actor(call, "auth.use_link"), call.now)


def _keep(tx: WriteTx, services: Services, call: Call, proof: Proof) -> None:
    """Keep that the code was taken and for whom: a repeat goes on from there."""
    account_id = None if proof.account is None else proof.account.id
    doer = actor(call, "auth.verify_code")
    keep_step(tx, services, call, doer, account=account_id, method=proof.method, challenge=proof.code_challenge)


def _to_client(
    services: Services, call: Call, entry: VaultEntry, account: Account, proof: Proof, redirect_to: str
) -> Reply:
    """To the client that asked for the mail, which alone can exchange the code."""
    require_registered(services, entry, account)

    def complete(tx: WriteTx) -> str:
        flow = begin_flow(tx, entry, redirect_to, call.now, code_challenge=proof.code_challenge)
        return complete_flow(tx, flow.id, Exchanged(account.id, proof.method), call.now)

    return to_code(redirect_to, services.registry_write(complete, actor(call, "auth.flow"), call.now))
