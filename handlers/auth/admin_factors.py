"""`/admin/users/{id}/factors`: second factors of somebody who lost them, for operators' tokens."""

import json
from typing import Any

from db.registry.factors import Factor, get_factor, list_factors
from db.transaction import ReadTx, WriteTx
from handlers.auth.admin_users import member
from handlers.auth.caller import actor, operator
from handlers.auth.factors import drop_factor
from handlers.auth.once import answered
from handlers.auth.user_shape import factor
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services


def list_all(services: Services, call: Call) -> Reply:
    """The person's factors, unverified ones included. Raises NotFound `user_not_found`."""
    entry, _ = operator(services, call, writes=False)

    def read(tx: ReadTx) -> list[dict[str, Any]]:
        return [factor(known) for known in list_factors(tx, member(tx, entry, call).id)]

    return Reply(200, json.dumps(services.registry_read(read, current=True), ensure_ascii=False))


def delete(services: Services, call: Call) -> Reply:
    """The factor that is gone; the person is told by mail. Raises NotFound."""
    entry, identity = operator(services, call, writes=True)

    def remove(tx: WriteTx) -> Factor:
        account = member(tx, entry, call)
        known = get_factor(tx, account.id, call.path["factor"])
        return drop_factor(tx, entry, account.id, known.id, call)

    def shown(_: WriteTx, gone: Factor) -> Reply:
        return Reply(200, json.dumps(factor(gone), ensure_ascii=False))

    reply = answered(services, call, actor(call, "auth.admin_delete_factor", identity), remove, shown)
    services.deliver(services.registry)
    return reply
