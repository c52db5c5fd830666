"""Answers given once and replayed: a repeated request with the same key has no second effect. Knows rows, not HTTP."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from db.clock import Moment
from db.errors import Conflict, Invalid
from db.transaction import ReadTx, WriteTx

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
    stored = find_answer(tx, actor_id, key, digest)
    if stored is not None:
        replayed: dict[str, Any] = json.loads(stored.answer)
        return replayed, True
    given = answer()
    keep_answer(tx, actor_id, key, digest, json.dumps(given, ensure_ascii=False, separators=(",", ":")), now)
    return given, False


class Stored(NamedTuple):
    """What is kept under a key. answer: JSON text. created_at: when it was first kept."""

    answer: str
    created_at: str


def find_answer(tx: ReadTx, actor_id: str, key: str, digest: str) -> Stored | None:
    """What is kept under the key, or None. Raises as `answer_once`."""
    if not 1 <= len(key) <= KEY_CHARACTERS or not key.isprintable():
        raise Invalid(f"got an Idempotency-Key of {len(key)} characters, wanted 1 to {KEY_CHARACTERS} printable ones")
    found = tx.row(
        "SELECT digest, answer, created_at FROM vaultry_idempotency WHERE actor = :actor AND key = :key",
        actor=actor_id,
        key=key,
    )
    if found is None:
        return None
    if found["digest"] != digest:
        raise Conflict("this Idempotency-Key came with a different request before", code="idempotency_key_reused")
    return Stored(found["answer"], found["created_at"])


_KEEP = """
INSERT INTO vaultry_idempotency (actor, key, digest, answer, created_at)
VALUES (:actor, :key, :digest, :answer, :now) ON CONFLICT (actor, key) DO UPDATE SET answer = excluded.answer
"""


def keep_answer(tx: WriteTx, actor_id: str, key: str, digest: str, answer: str, now: Moment) -> None:
    """Keep what to give again under the key; it replaces what was kept of the same request. answer: JSON text."""
    tx.execute(_KEEP, actor=actor_id, key=key, digest=digest, answer=answer, now=now.text)


def forget_old_answers(tx: WriteTx, now: Moment) -> int:
    """Remove answers older than a week; how many."""
    return tx.execute(
        "DELETE FROM vaultry_idempotency WHERE created_at < :limit", limit=now.later(seconds=-KEPT_DAYS * 86400)
    )
