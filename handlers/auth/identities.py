"""`/user/identities`: unlinking an outside identity; linking begins in authorize.py and ends in tokens.py."""

import json

from db.errors import Forbidden, Invalid
from db.registry.factors import has_factor
from db.registry.identities import list_identities, unlink_identity
from db.registry.notices import alert
from db.transaction import WriteTx
from handlers.auth.caller import actor, person, signed_in
from handlers.call import Call
from handlers.reply import Reply
from handlers.services import Services


def unlink(services: Services, call: Call) -> Reply:
    """Let the identity lead here no more.

    The mailbox is the account itself and cannot be unlinked. Raises NotFound `identity_not_found`, Invalid
    `single_identity_not_deletable` or `email_conflict_identity_not_deletable`, Forbidden `insufficient_aal`.
    """
    entry, identity = person(services, call)

    def remove(tx: WriteTx) -> None:
        who = signed_in(identity, call)(tx)
        if who.session.aal != "aal2" and has_factor(tx, who.account.id):
            raise Forbidden("show your second factor first", code="insufficient_aal")
        if call.path["identity"] == who.account.id:
            only = not list_identities(tx, who.account.id)
            code = "single_identity_not_deletable" if only else "email_conflict_identity_not_deletable"
            raise Invalid("the mailbox is the account itself; change its address instead", code=code)
        unlink_identity(tx, who.account.id, call.path["identity"])
        alert(tx, "identity_unlinked", who.account.id, entry, call.now)

    services.registry_write(remove, actor(call, "auth.unlink_identity", identity), call.now)
    return Reply(200, json.dumps({}))
