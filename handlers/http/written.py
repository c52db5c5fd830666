"""A write over HTTP: carried out once per Idempotency-Key, or only tried. Knows no table and no verb."""

import json
from collections.abc import Callable

from db.idempotency import answer_once, request_digest
from db.principal import Principal
from db.registry.directory import VaultEntry
from db.transaction import WriteTx
from db.vault.vault import Vault
from domain.charter import Charter
from handlers.http.call import Call
from handlers.http.identity import Identity, actor_of, principal_of
from handlers.http.reply import Reply


class _OnlyTried(Exception):
    """Carries the answer out of a transaction that is to leave no trace."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


def written(
    vault: Vault,
    call: Call,
    identity: Identity,
    entry: VaultEntry,
    charter: Charter,
    verb: str,
    write: Callable[[WriteTx, Principal], Reply],
    *,
    rollback: bool = False,
) -> Reply:
    """The answer of a write, with its bookmark. rollback: take everything back once the answer is known."""
    key = call.header("idempotency-key")

    def work(tx: WriteTx) -> Reply:
        principal = principal_of(tx, identity, entry, charter)
        tx.acting_as = principal.actor_id
        if rollback:
            raise _OnlyTried(write(tx, principal))
        if key is None:
            return write(tx, principal)
        query = json.dumps(list(call.query)).encode()
        digest = request_digest(call.method.encode(), call.url_path.encode(), query, _wishes(call), call.body)
        # Guests are nobody in particular: only the very same request of another guest is a repeat.
        asker = f"guest:{digest}" if principal.kind == "guest" else principal.actor_id
        stored, replayed = answer_once(tx, asker, key, digest, call.now, lambda: write(tx, principal).as_json())
        reply = Reply.from_json(stored)
        return reply.with_headers(("Idempotency-Replayed", "true")) if replayed else reply

    try:
        answer = vault.write(work, actor_of(identity, call, verb), call.now, call.began)
    except _OnlyTried as tried:
        return tried.reply.with_headers(("x-d1-bookmark", vault.bookmark))
    return answer.value.with_headers(("x-d1-bookmark", answer.bookmark))


def _wishes(call: Call) -> bytes:
    """The headers that change an answer."""
    kinds = ("prefer", "accept", "content-type", "if-match", "if-none-match")
    return "\n".join(f"{name}: {value}" for name, value in call.headers if name in kinds).encode()
