"""Delivering what vaults asked for. Knows senders and outboxes; decides nothing about either."""

import logging
import traceback
from dataclasses import dataclass

from db.clock import Moment
from db.errors import Invalid, VaultError
from db.outbox import OutboxRow, claim, due, mark_delivered, mark_failed
from db.transaction import Actor, WriteTx
from db.vault import Vault
from handlers.mail import Mail, MailSender

DELIVERIES = 50
_ACTOR = Actor("deliver_outbox", "job", "", "outbox.deliver")
_LOG = logging.getLogger("vaultry")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one round did: effects delivered, effects that failed (tried again later, or given up)."""

    delivered: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class _Outcome:
    """error: '' when delivered. final: the same attempt could never work."""

    id: str
    error: str = ""
    final: bool = False


def deliver_outbox(vault: Vault, sender: MailSender, now: Moment, limit: int = DELIVERIES) -> Delivery:
    """Deliver what is due in one vault: claim, send outside any transaction, mark.

    At least once: a process that dies between sending and marking sends again after the wait. An effect that cannot be
    sent is marked and never stops the rest. A vault with nothing due is only read. Raises what the vault raises.
    """
    if not vault.read(lambda tx: due(tx, now, 1)).value:
        return Delivery()
    rows = vault.write(lambda tx: claim(tx, now, limit), _ACTOR, now).value
    outcomes = [_attempt(row, sender) for row in rows]
    if outcomes:
        vault.write(lambda tx: _mark(tx, outcomes, now), _ACTOR, now)
    failed = sum(bool(outcome.error) for outcome in outcomes)
    return Delivery(len(outcomes) - failed, failed)


def mail_of(row: OutboxRow) -> Mail:
    """The mail an effect of kind `mail` asks for: payload `{to, subject, text, html?}`. Raises Invalid."""
    if row.kind != "mail":
        raise Invalid(f"effect {row.id}: got kind {row.kind!r}, wanted mail")
    texts = {name: row.payload.get(name, "") for name in ("to", "subject", "text", "html")}
    wrong = next((name for name, value in texts.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise Invalid(f"effect {row.id}: {wrong} is no text")
    return Mail(id=row.id, created_at=row.created_at, **texts)


def _attempt(row: OutboxRow, sender: MailSender) -> _Outcome:
    try:
        sender.send(mail_of(row))
    except Invalid as exc:
        return _Outcome(row.id, exc.code, final=True)
    except VaultError as exc:
        return _Outcome(row.id, exc.code)
    except Exception as exc:  # one broken message must not keep the others waiting
        # Its text may quote the message: the log gets its kind and the place it came from.
        place = traceback.extract_tb(exc.__traceback__)[-1]
        _LOG.error("effect %s failed: %s at %s:%s", row.id, type(exc).__name__, place.filename, place.lineno)
        return _Outcome(row.id, type(exc).__name__)
    return _Outcome(row.id)


def _mark(tx: WriteTx, outcomes: list[_Outcome], now: Moment) -> None:
    for outcome in outcomes:
        if outcome.error:
            mark_failed(tx, outcome.id, outcome.error, now, final=outcome.final)
        else:
            mark_delivered(tx, outcome.id, now)
