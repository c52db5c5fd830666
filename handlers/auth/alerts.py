"""`/alerts`: what happened to the signed-in person's account that it should know of."""

import json
from typing import Any

from db.registry.security_alerts import KINDS, list_alerts
from db.transaction import ReadTx
from handlers.auth.caller import person, signed_in
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

SHOWN = 100


def list_own(services: Services, call: Call) -> Reply:
    """The newest 100 alerts of the account, whatever vault they are from: `[{id, kind, text, at, vault}]`."""
    _, identity = person(services, call)

    def read(tx: ReadTx) -> list[dict[str, Any]]:
        account = signed_in(identity, call)(tx).account
        return [
            {"id": known.id, "kind": known.kind, "text": KINDS[known.kind], "at": known.at, "vault": known.slug}
            for known in list_alerts(tx, account_id=account.id, most=SHOWN)
        ]

    return Reply(200, json.dumps(services.registry_read(read, current=True)))
