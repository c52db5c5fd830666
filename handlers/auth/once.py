"""`Idempotency-Key` on calls of `/auth/v1`: the answer is kept by the commit of its effect, and given again. No route.

Answers hold tokens, so they are kept sealed under the platform's secret, and given again for ten minutes only: long
enough for a client that lost its connection, short for whoever finds an old request. Guests are nobody in particular;
only the very same request of theirs is a repeat, and what is kept of it is a keyed digest: a plain one would let the
passwords in it be guessed from a copy of the registry.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from db.clock import timestamp_ms
from db.errors import Conflict
from db.idempotency import find_answer, keep_answer, request_digest
from db.registry.refusal import Refused, accepted
from db.transaction import Actor, ReadTx, WriteTx
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

T = TypeVar("T")
GIVEN_AGAIN_S = 600
_HEADERS = ("content-type", "prefer")


@dataclass(frozen=True, slots=True)
class Begun:
    """How far a request with this key came before. reply: its answer, once there is one. done: steps, by name."""

    reply: Reply | None = None
    done: dict[str, Any] = field(default_factory=dict[str, Any])


def begun(services: Services, call: Call, doer: Actor) -> Begun:
    """What an earlier request with the same key left; nothing without a key.

    Raises Invalid for a bad key, Conflict `idempotency_key_reused` for one of another request or of long ago.
    """
    if call.header("idempotency-key") is None:
        return Begun()
    return services.registry_read(lambda tx: _found(tx, services, call, doer), current=True)


def keep_step(tx: WriteTx, services: Services, call: Call, doer: Actor, **done: Any) -> None:
    """Keep that steps of the request are done, with what the next ones need of them. Values as JSON has them."""
    if call.header("idempotency-key") is not None:
        _keep(tx, services, call, doer, {"done": {**_found(tx, services, call, doer).done, **done}})


def answered(
    services: Services,
    call: Call,
    doer: Actor,
    work: Callable[[WriteTx], T | Refused],
    reply: Callable[[WriteTx, T], Reply],
) -> Reply:
    """The answer to the last work of a request, made and kept in the same commit. Raises what a Refused holds."""

    def run(tx: WriteTx) -> Reply | Refused:
        if call.header("idempotency-key") is None:
            outcome = work(tx)
            return outcome if isinstance(outcome, Refused) else reply(tx, outcome)
        before = _found(tx, services, call, doer)
        if before.reply is not None:
            return before.reply
        outcome = work(tx)
        if isinstance(outcome, Refused):
            return outcome
        made = reply(tx, outcome)
        _keep(tx, services, call, doer, {"reply": made.as_json()})
        return made

    return accepted(services.registry_write(run, doer, call.now))


def always(status: int, body: str = "") -> Callable[[WriteTx, Any], Reply]:
    """The answer that is the same whatever came of the work."""

    def reply(_: WriteTx, __: Any) -> Reply:
        return Reply(status, body)

    return reply


def as_json(_: WriteTx, shape: dict[str, Any]) -> Reply:
    """What came of the work, as JSON."""
    return Reply(200, json.dumps(shape, ensure_ascii=False))


def _found(tx: ReadTx, services: Services, call: Call, doer: Actor) -> Begun:
    asker, key, digest = _named(services, call, doer)
    stored = find_answer(tx, asker, key, digest)
    if stored is None:
        return Begun()
    if timestamp_ms(stored.created_at) <= call.now.ms - GIVEN_AGAIN_S * 1000:
        raise Conflict(
            f"this Idempotency-Key came more than {GIVEN_AGAIN_S // 60} minutes ago: its answer is not given again",
            code="idempotency_key_reused",
        )
    opened: dict[str, Any] = json.loads(services.keyring.unwrap(json.loads(stored.answer), _context(asker, key)))
    if "reply" not in opened:
        return Begun(None, cast("dict[str, Any]", opened["done"]))
    return Begun(Reply.from_json(opened["reply"]).with_headers(("Idempotency-Replayed", "true")))


def _keep(tx: WriteTx, services: Services, call: Call, doer: Actor, content: dict[str, Any]) -> None:
    asker, key, digest = _named(services, call, doer)
    sealed = services.keyring.wrap(json.dumps(content, ensure_ascii=False).encode(), _context(asker, key))
    keep_answer(tx, asker, key, digest, json.dumps(sealed), call.now)


def _named(services: Services, call: Call, doer: Actor) -> tuple[str, str, str]:
    """Who asks, under which key, and the digest of what is asked."""
    query = json.dumps(list(call.query)).encode()
    wishes = "\n".join(f"{name}: {value}" for name, value in call.headers if name in _HEADERS).encode()
    plain = request_digest(call.method.encode(), call.url_path.encode(), query, wishes, call.body)
    digest = services.keyring.mac("idempotency of sign-in", plain)
    asker = f"guest:{digest}" if doer.kind == "guest" else doer.id
    return asker, call.header("idempotency-key") or "", digest


def _context(asker: str, key: str) -> str:
    return f"vaultry_idempotency.answer:{asker}:{key}"
