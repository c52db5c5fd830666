"""`token?grant_type=id_token`: a session for an id token that a client got from the provider by itself."""

from typing import Any

from db.clock import Moment
from db.fields import Text
from db.registry.identity_providers import find_provider
from db.registry.sign_in_flows import take_id_token
from handlers.auth.authorize import sign_in_outside
from handlers.auth.caller import TOKEN_CHARACTERS, actor, read_body
from handlers.auth.invitations import accept_invitation
from handlers.auth.providers import verify_id_token
from handlers.auth.sessions import new_session, session_reply
from handlers.call import Call
from handlers.reply import Reply
from handlers.services import Services

ID_TOKEN_CHARACTERS = 16_384


def by_id_token(services: Services, call: Call) -> Reply:
    """A session; the token signs in once. nonce: needed when the token has one.

    Raises NotAuthenticated `token_invalid`, Invalid `oauth_provider_not_supported`, Forbidden.
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
        },
    )
    ring, token = services.keyring, given["id_token"]
    provider = services.registry_read(lambda tx: find_provider(tx, ring, given["provider"]))
    claims = verify_id_token(provider, token, given.get("nonce"), call.now)
    ends = Moment(claims.expires_at_s * 1000)
    services.registry_write(
        lambda tx: take_id_token(tx, entry, provider.name, token, ends, call.now),
        actor(call, "auth.id_token"),
        call.now,
    )
    account = sign_in_outside(services, call, entry, claims.subject)
    if given.get("invite_token"):
        accept_invitation(services, call, entry, account, given["invite_token"])
    return session_reply(services, call, new_session(services, call, entry, account, "oauth"))
