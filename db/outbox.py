"""Effects outside the vault, kept as rows until they are delivered. Knows rows and times; not mail, hooks or senders.

A work that wants a mail sent adds a row in its own transaction: no commit, no mail. Delivery is at least once. A row is
claimed before the attempt, so that a process that dies over it counts as an attempt, and two processes seldom take the
same one. A delivered row keeps its line and loses its payload, which may hold an address or a sign-in code; after a
month the line goes too, and that of what was given up after three.

An effect gets twelve attempts in some twenty hours: waits of 1, 2, 4 ... minutes, six hours at most, each shortened by
up to a fifth at random, so that what failed together does not come back together.
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
JITTER_PERCENT = 20
ERROR_CHARACTERS = 500
DELIVERED_DAYS = 30
GIVEN_UP_DAYS = 90
_NEVER = "9999-12-31T23:59:59.999Z"

_DUE = """
SELECT id, kind, payload, created_at, attempts FROM vaultry_outbox
 WHERE delivered_at IS NULL AND next_attempt_at <= :now AND kind <> :without
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


def enqueue(tx: WriteTx, kind: str, payload: Mapping[str, Any], now: Moment, *, due_at: str | None = None) -> str:
    """Add an effect; its id. kind: chooses the sender, such as `mail`. payload: what JSON can hold.

    due_at: before which it is not tried, None = at once.
    """
    effect_id = now.new_id()
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    tx.insert("vaultry_outbox", id=effect_id, kind=kind, payload=text, created_at=now.text,
              next_attempt_at=due_at or now.text)  # fmt: skip
    return effect_id


@dataclass(frozen=True, slots=True)
class Backlog:
    """What an outbox still holds. waiting: to be tried; next_at: the first of them. given_up: never tried again."""

    waiting: int
    given_up: int
    next_at: str | None


_BACKLOG = """
SELECT coalesce(sum(next_attempt_at < :never), 0) AS waiting, coalesce(sum(next_attempt_at = :never), 0) AS given_up,
       min(nullif(next_attempt_at, :never)) AS next_at
  FROM vaultry_outbox WHERE delivered_at IS NULL
"""


def backlog(tx: ReadTx) -> Backlog:
    """What is not delivered yet."""
    row = tx.rows(_BACKLOG, never=_NEVER)[0]
    return Backlog(row["waiting"], row["given_up"], row["next_at"])


def next_delivery(tx: ReadTx) -> str | None:
    """When the next attempt is due, or None when nothing waits."""
    next_at: str | None = tx.value(
        "SELECT min(next_attempt_at) FROM vaultry_outbox WHERE delivered_at IS NULL AND next_attempt_at < :never",
        never=_NEVER,
    )
    return next_at


def due(tx: ReadTx, now: Moment, limit: int, without: str = "") -> list[OutboxRow]:
    """The effects to be tried now, the longest waiting first, at most `limit`. without: a kind to leave alone."""
    rows = tx.rows(_DUE, now=now.text, limit=limit, without=without)
    return [
        OutboxRow(row["id"], row["kind"], json.loads(row["payload"]), row["created_at"], row["attempts"])
        for row in rows
    ]


def claim(tx: WriteTx, now: Moment, limit: int, without: str = "") -> list[OutboxRow]:
    """The due effects, taken: nobody else is offered them until their next wait is over. without: as for `due`."""
    claimed: list[OutboxRow] = []
    for row in due(tx, now, limit, without):
        attempts = row.attempts + 1
        tx.execute(
            "UPDATE vaultry_outbox SET attempts = :attempts, next_attempt_at = :next WHERE id = :id",
            attempts=attempts,
            next=_next_attempt(attempts, now),
            id=row.id,
        )
        claimed.append(OutboxRow(row.id, row.kind, row.payload, row.created_at, attempts))
    return claimed


def release(tx: WriteTx, effect_id: str, now: Moment) -> None:
    """Give a claimed effect back untried: it is due at once, and the claim was no attempt."""
    tx.execute(
        "UPDATE vaultry_outbox SET attempts = attempts - 1, next_attempt_at = :now"
        " WHERE id = :id AND delivered_at IS NULL AND attempts > 0",
        now=now.text,
        id=effect_id,
    )


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


_FORGET = """
DELETE FROM vaultry_outbox
 WHERE delivered_at < :delivered OR (delivered_at IS NULL AND next_attempt_at = :never AND created_at < :given_up)
"""


def forget_old_effects(tx: WriteTx, now: Moment) -> int:
    """Remove what was delivered a month ago, and what was asked for three months ago and given up; how many."""
    delivered = now.later(seconds=-DELIVERED_DAYS * 86400)
    given_up = now.later(seconds=-GIVEN_UP_DAYS * 86400)
    return tx.execute(_FORGET, delivered=delivered, given_up=given_up, never=_NEVER)


def _next_attempt(attempts: int, now: Moment) -> str:
    """When the attempt after this many may start."""
    if attempts >= MAX_ATTEMPTS:
        return _NEVER
    wait_s = min(FIRST_WAIT_S * 2 ** max(attempts - 1, 0), LONGEST_WAIT_S)
    jitter = int.from_bytes(now.random_bytes(2), "big") * JITTER_PERCENT / (100 << 16)
    return now.later(seconds=int(wait_s * (1 - jitter)))
