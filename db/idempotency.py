"""Answers given once and replayed: a repeated request with the same key has no second effect. Knows rows, not HTTP."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from db.clock import Moment
from db.errors import Conflict, Invalid
from db.transaction import WriteTx

KEY_CHARACTERS = 255
KEPT_DAYS = 7


def request_digest(*parts: bytes) -> str:
    """What makes two requests the same: SHA-256 over the parts and their lengths, as 64 hex digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def answer_once(
    tx: WriteTx, actor_id: str, key: str, digest: str, now: Moment, answer: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any], bool]:
    """The answer (JSON) and whether it is a replay; effect and answer share the transaction.

    A failing answer stores nothing, so the request may be repeated. Raises Invalid for a key that is too long or
    empty, Conflict (idempotency_key_reused) when the key came with another request before.
    """
    if not 1 <= len(key) <= KEY_CHARACTERS or not key.isprintable():
        raise Invalid(f"got an Idempotency-Key of {len(key)} characters, wanted 1 to {KEY_CHARACTERS} printable ones")
    stored = tx.row(
        "SELECT digest, answer FROM vaultry_idempotency WHERE actor = :actor AND key = :key", actor=actor_id, key=key
    )
    if stored is not None:
        if stored["digest"] != digest:
            raise Conflict("this Idempotency-Key came with a different request before", code="idempotency_key_reused")
        replayed: dict[str, Any] = json.loads(stored["answer"])
        return replayed, True
    given = answer()
    tx.insert(
        "vaultry_idempotency",
        actor=actor_id,
        key=key,
        digest=digest,
        answer=json.dumps(given, ensure_ascii=False, separators=(",", ":")),
        created_at=now.text,
    )
    return given, False


def forget_old_answers(tx: WriteTx, now: Moment) -> int:
    """Remove answers older than a week; how many."""
    return tx.execute(
        "DELETE FROM vaultry_idempotency WHERE created_at < :limit", limit=now.later(seconds=-KEPT_DAYS * 86400)
    )
