"""Effects outside the vault, kept as rows until they are delivered. Knows rows and times; not mail, hooks or senders.

A work that wants a mail sent adds a row in its own transaction: no commit, no mail. Delivery is at least once. A row is
claimed before the attempt, so that a process that dies over it counts as an attempt, and two processes seldom take the
same one. A delivered row keeps its line and loses its payload, which may hold an address or a sign-in code.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.transaction import ReadTx, WriteTx

MAX_ATTEMPTS = 12
FIRST_WAIT_S = 60
LONGEST_WAIT_S = 6 * 3600
ERROR_CHARACTERS = 500
_NEVER = "9999-12-31T23:59:59.999Z"

_DUE = """
SELECT id, kind, payload, created_at, attempts FROM vaultry_outbox
 WHERE delivered_at IS NULL AND next_attempt_at <= :now
 ORDER BY next_attempt_at, id LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One effect. payload: parsed JSON object. attempts: claimed so far, this one included once it is claimed."""

    id: str
    kind: str
    payload: Mapping[str, Any]
    created_at: str
    attempts: int


def enqueue(tx: WriteTx, kind: str, payload: Mapping[str, Any], now: Moment) -> str:
    """Add an effect, due at once; its id. kind: chooses the sender, such as `mail`. payload: what JSON can hold."""
    effect_id = now.new_id()
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    tx.insert("vaultry_outbox", id=effect_id, kind=kind, payload=text, created_at=now.text, next_attempt_at=now.text)
    return effect_id


def due(tx: ReadTx, now: Moment, limit: int) -> list[OutboxRow]:
    """The effects to be tried now, the longest waiting first, at most `limit`."""
    rows = tx.rows(_DUE, now=now.text, limit=limit)
    return [
        OutboxRow(row["id"], row["kind"], json.loads(row["payload"]), row["created_at"], row["attempts"])
        for row in rows
    ]


def claim(tx: WriteTx, now: Moment, limit: int) -> list[OutboxRow]:
    """The due effects, taken: nobody else is offered them until their next wait is over."""
    claimed: list[OutboxRow] = []
    for row in due(tx, now, limit):
        attempts = row.attempts + 1
        tx.execute(
            "UPDATE vaultry_outbox SET attempts = :attempts, next_attempt_at = :next WHERE id = :id",
            attempts=attempts,
            next=_next_attempt(attempts, now),
            id=row.id,
        )
        claimed.append(OutboxRow(row.id, row.kind, row.payload, row.created_at, attempts))
    return claimed


def mark_delivered(tx: WriteTx, effect_id: str, now: Moment) -> None:
    """Note that the effect happened; its payload is dropped. A second note changes nothing."""
    tx.execute(
        "UPDATE vaultry_outbox SET delivered_at = :now, payload = '{}', last_error = NULL"
        " WHERE id = :id AND delivered_at IS NULL",
        now=now.text,
        id=effect_id,
    )


def mark_failed(tx: WriteTx, effect_id: str, error: str, now: Moment, *, final: bool = False) -> None:
    """Note why an attempt failed; the next one follows after a wait that doubles.

    final: no further attempt, for what can never work. The row and its error stay for people to see.
    """
    attempts = tx.value("SELECT attempts FROM vaultry_outbox WHERE id = :id", id=effect_id)
    tx.execute(
        "UPDATE vaultry_outbox SET last_error = :error, next_attempt_at = :next"
        " WHERE id = :id AND delivered_at IS NULL",
        error=error[:ERROR_CHARACTERS],
        next=_NEVER if final else _next_attempt(attempts or 0, now),
        id=effect_id,
    )


def _next_attempt(attempts: int, now: Moment) -> str:
    """When the attempt after this many may start: waits of 1, 2, 4 ... minutes, 6 hours at most, then never."""
    if attempts >= MAX_ATTEMPTS:
        return _NEVER
    return now.later(seconds=min(FIRST_WAIT_S * 2 ** max(attempts - 1, 0), LONGEST_WAIT_S))
