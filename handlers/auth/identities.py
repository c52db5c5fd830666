"""`/user/identities`: unlinking an outside identity; linking begins in authorize.py and ends in tokens.py."""

from db.errors import Invalid
from db.registry.identities import list_identities, unlink_identity
from db.registry.notices import alert
from db.transaction import WriteTx
from handlers.auth.caller import actor, person, require_shown, signed_in
from handlers.auth.once import always, answered
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services


def unlink(services: Services, call: Call) -> Reply:
    """Let the identity lead here no more.

    The mailbox is the account itself and cannot be unlinked. Raises NotFound `identity_not_found`, Invalid
    `single_identity_not_deletable` or `email_conflict_identity_not_deletable`, Forbidden `insufficient_aal`.
    """
    entry, identity = person(services, call)

    def remove(tx: WriteTx) -> None:
        who = signed_in(identity, call)(tx)
        require_shown(tx, who)
        if call.path["identity"] == who.account.id:
            only = not list_identities(tx, who.account.id)
            code = "single_identity_not_deletable" if only else "email_conflict_identity_not_deletable"
            raise Invalid("the mailbox is the account itself; change its address instead", code=code)
        unlink_identity(tx, who.account.id, call.path["identity"])
        alert(tx, "identity_unlinked", who.account.id, entry, call.now)

    return answered(services, call, actor(call, "auth.unlink_identity", identity), remove, always(200, "{}"))
