"""`token?grant_type=id_token`: an id token that a client got from the provider by itself signs in, or is linked."""

from typing import Any

from db.clock import Moment
from db.fields import Flag, Text
from db.registry.accounts import Account
from db.registry.directory import VaultEntry
from db.registry.identities import Subject, link_identity
from db.registry.identity_providers import find_provider
from db.registry.notices import alert
from db.registry.sign_in_flows import take_id_token
from db.transaction import WriteTx
from handlers.auth.authorize import sign_in_outside
from handlers.auth.caller import TOKEN_CHARACTERS, actor, person, read_body, require_shown, signed_in
from handlers.auth.invitations import accept_invitation
from handlers.auth.once import begun, keep_step
from handlers.auth.providers import verify_id_token
from handlers.auth.sessions import enter
from handlers.http.call import Call
from handlers.http.identity import Identity
from handlers.http.reply import Reply
from handlers.services import Services

ID_TOKEN_CHARACTERS = 16_384


def by_id_token(services: Services, call: Call) -> Reply:
    """A session; the token counts once. nonce: needed when the token has one.

    link_identity: the one whom the token is about is another identity of the person signed in, whose session it is
    then. Raises NotAuthenticated `token_invalid`, Invalid `oauth_provider_not_supported`, Forbidden, and Conflict
    `identity_already_exists` when the identity to link leads to another account.
    """
    entry = services.entry(call.path["vault"])
    short = Text(max_characters=TOKEN_CHARACTERS)
    given: dict[str, Any] = read_body(
        call,
        {
            "provider": Text(required=True),
            "id_token": Text(required=True, max_characters=ID_TOKEN_CHARACTERS),
            "nonce": short,
            "invite_token": short,
            "link_identity": Flag(),
        },
    )
    linking = person(services, call)[1] if given.get("link_identity") else None
    doer = actor(call, "auth.id_token", linking)
    before = begun(services, call, doer)
    if before.reply is not None:
        return before.reply
    ring, token = services.keyring, given["id_token"]
    provider = services.registry_read(lambda tx: find_provider(tx, ring, given["provider"]))
    claims = verify_id_token(provider, token, given.get("nonce"), call.now)
    ends = Moment(claims.expires_at_s * 1000)

    def take(tx: WriteTx) -> None:
        take_id_token(tx, entry, provider.name, token, ends, call.now)
        keep_step(tx, services, call, doer, taken=True)

    if not before.done:
        services.registry_write(take, doer, call.now)
    if linking is None:
        account = sign_in_outside(services, call, entry, claims.subject)
    else:
        account = _link(services, call, entry, linking, claims.subject)
    if given.get("invite_token"):
        accept_invitation(services, call, entry, account, given["invite_token"])
    return enter(services, call, entry, account, "oauth", doer=doer)


def _link(services: Services, call: Call, entry: VaultEntry, identity: Identity, subject: Subject) -> Account:
    """The account of the person signed in, to which the identity leads from now on; its owner is told by mail."""

    def link(tx: WriteTx) -> Account:
        who = signed_in(identity, call)(tx)
        require_shown(tx, who)
        if link_identity(tx, who.account.id, subject.provider, subject.subject, call.now, subject.data):
            alert(tx, "identity_linked", who.account.id, entry, call.now)
        return who.account

    account = services.registry_write(link, actor(call, "auth.link_identity", identity), call.now)
    services.deliver(services.registry)
    return account
