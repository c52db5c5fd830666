"""`/vaults`: one account, many vaults: where a person was admitted, and a session there without signing in again."""

import json
from typing import Any

from db.registry.memberships import list_memberships
from db.transaction import ReadTx, WriteTx
from handlers.auth.caller import actor, person, signed_in
from handlers.auth.once import begun
from handlers.auth.sessions import enter
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services


def list_vaults(services: Services, call: Call) -> Reply:
    """The active vaults that admitted the person, by name: `[{id, slug, name, charter, current}]`.

    A list of doors, not of rights: a vault that struck the person since is still on it, and refuses.
    """
    entry, identity = person(services, call)

    def read(tx: ReadTx) -> list[dict[str, Any]]:
        account = signed_in(identity, call)(tx).account
        return [
            {
                "id": known.vault_id,
                "slug": known.slug,
                "name": known.name,
                "charter": known.charter,
                "current": known.vault_id == entry.id,
            }
            for known in list_memberships(tx, account.id)
        ]

    return Reply(200, json.dumps(services.registry_read(read, current=True), ensure_ascii=False))


def enter_vault(services: Services, call: Call) -> Reply:
    """A session of another vault for the person signed in to this one.

    It has the proofs of this session, lives no longer and ends with it. A second factor shown here counts there.
    Raises Forbidden `not_registered` where the vault does not know the person, NotFound for an unknown one.
    """
    _, identity = person(services, call)
    doer = actor(call, "auth.session", identity)
    before = begun(services, call, doer)
    if before.reply is not None:
        return before.reply
    who = services.registry_read(signed_in(identity, call), current=True)
    other = services.entry(call.path["other"])

    def still_signed_in(tx: WriteTx) -> None:
        signed_in(identity, call)(tx)

    parent, beside = who.session, still_signed_in
    return enter(services, call, other, who.account, "session", doer=doer, parent=parent, beside=beside)
