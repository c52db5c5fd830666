"""Invitations of a vault's own charter, accepted on the way in. Knows the charter's verb; not what it does."""

from dataclasses import replace
from typing import Any

from db.errors import Invalid
from db.fields import parse_fields
from db.idempotency import answer_once
from db.registry.accounts import Account
from db.registry.directory import VaultEntry
from db.registry.identities import provided_name
from db.transaction import WriteTx
from handlers.auth.caller import actor
from handlers.auth.sessions import end_of_former
from handlers.http.call import Call
from handlers.http.identity import Identity, principal_of
from handlers.services import Services


def accept_invitation(services: Services, call: Call, entry: VaultEntry, account: Account, token: str) -> None:
    """Run the charter's own verb for it, as the person whose address was just verified.

    Somebody new is called as an outside provider that vouches for her calls her, if one does.
    """
    charter = services.charter(entry)
    verb = charter.verb(charter.admission) if charter.admission else None
    if verb is None:
        raise Invalid("this vault knows no invitations", field="invite_token")
    invited = Identity("person", account.email, account.id)
    name = services.registry_read(lambda tx: provided_name(tx, account.id))
    # Before, so that what somebody was signed in with as a member of old does not open what she is invited to now.
    end_of_former(services, call, entry, account)

    def accept(tx: WriteTx) -> Any:
        principal = principal_of(tx, invited, entry, charter)
        if principal.id is None:
            principal = replace(principal, name=name)
        tx.acting_as = principal.actor_id
        args = parse_fields({"token": token}, verb.params)
        key = call.header("idempotency-key")
        if key is None:
            return verb.run(tx, principal, args, call.now)
        # The sign-in that follows may be what a crash took away: the invitation is accepted already then.
        digest = services.keyring.mac("idempotency of an invitation", token)
        return answer_once(
            tx, f"invited:{account.id}", key, digest, call.now, lambda: {"is": verb.run(tx, principal, args, call.now)}
        )

    with services.vault(entry) as vault:
        vault.write(accept, actor(call, verb.name, invited), call.now)
