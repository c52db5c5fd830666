"""Delivering what vaults asked for. Knows senders and outboxes; decides nothing about either."""

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from db.clock import Moment
from db.errors import Invalid, VaultError
from db.keyring import KeyRing
from db.outbox import OutboxRow, claim, due, mark_delivered, mark_failed, release
from db.transaction import Actor, WriteTx
from db.vault.vault import Vault
from db.webhook_secrets import ensure_webhook_secret, webhook_secrets
from handlers.upkeep.mail import Mail, MailSender
from handlers.upkeep.webhooks import HookSender, Webhook

DELIVERIES = 50
# So many are taken at a time: a process that dies over them delays no more.
_TAKEN = 10
_HOOK = "webhook"
_ACTOR = Actor("deliver_outbox", "job", "", "outbox.deliver")
_LOG = logging.getLogger("vaultry")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one round did: effects delivered, effects that failed (tried again later, or given up)."""

    delivered: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Hooks:
    """What sending webhooks takes. keyring: opens the vault's secret. clock: receivers refuse an old signature."""

    sender: HookSender
    keyring: KeyRing
    clock: Callable[[], Moment]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """error: '' when delivered. final: the same attempt could never work. tried: False when time ran out before."""

    id: str
    error: str = ""
    final: bool = False
    tried: bool = True


def _never() -> bool:
    return False


def deliver_outbox(
    vault: Vault,
    sender: MailSender,
    now: Moment,
    *,
    hooks: Hooks | None = None,
    limit: int = DELIVERIES,
    is_over: Callable[[], bool] = _never,
) -> Delivery:
    """Deliver what is due in one vault: claim, send outside any transaction, mark.

    At least once: a process that dies between sending and marking sends again after the wait. An effect that cannot be
    sent is marked and never stops the rest. A vault with nothing due is only read. hooks: None leaves webhooks for
    another round, where nobody waits for somebody else's server. is_over: asked before each; what is not tried any more
    is given back. Raises what the vault raises.
    """
    without = _HOOK if hooks is None else ""
    outcomes: list[_Outcome] = []
    while len(outcomes) < limit and not is_over():
        if not vault.read(lambda tx: due(tx, now, 1, without)).value:
            break
        claiming = partial(claim, now=now, limit=min(_TAKEN, limit - len(outcomes)), without=without)
        rows = vault.write(claiming, _ACTOR, now).value
        secrets = _secrets(vault, hooks, rows, now)
        taken = [_attempt(row, sender, hooks, secrets, is_over) for row in rows]
        if taken:
            vault.write(partial(_mark, outcomes=taken, now=now), _ACTOR, now)
        outcomes += taken
    failed = sum(bool(outcome.error) for outcome in outcomes)
    return Delivery(sum(outcome.tried for outcome in outcomes) - failed, failed)


def mail_of(row: OutboxRow) -> Mail:
    """The mail an effect of kind `mail` asks for: payload `{to, subject, text, html?}`. Raises Invalid."""
    if row.kind != "mail":
        raise Invalid(f"effect {row.id}: got kind {row.kind!r}, wanted mail or webhook")
    texts = {name: row.payload.get(name, "") for name in ("to", "subject", "text", "html")}
    wrong = next((name for name, value in texts.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise Invalid(f"effect {row.id}: {wrong} is no text")
    return Mail(id=row.id, created_at=row.created_at, **texts)


def webhook_of(row: OutboxRow) -> Webhook:
    """The webhook an effect of kind `webhook` asks for: payload `{url, event, body?}`. Raises Invalid."""
    url, event = row.payload.get("url"), row.payload.get("event")
    if not isinstance(url, str) or not isinstance(event, str):
        raise Invalid(f"effect {row.id}: url or event is no text")
    return Webhook(row.id, url, event, row.payload.get("body"), row.created_at)


def _secrets(vault: Vault, hooks: Hooks | None, rows: Sequence[OutboxRow], now: Moment) -> list[bytes]:
    """What the webhooks among the rows are signed with; the first one makes the secret."""
    if hooks is None or not any(row.kind == _HOOK for row in rows):
        return []
    found = vault.read(lambda tx: webhook_secrets(tx, hooks.keyring, now)).value
    return found or [vault.write(lambda tx: ensure_webhook_secret(tx, hooks.keyring, now), _ACTOR, now).value]


def _attempt(
    row: OutboxRow,
    sender: MailSender,
    hooks: Hooks | None,
    secrets: Sequence[bytes],
    is_over: Callable[[], bool],
) -> _Outcome:
    if is_over():
        return _Outcome(row.id, tried=False)
    try:
        if row.kind == _HOOK and hooks is not None:
            hooks.sender.send(webhook_of(row), secrets, hooks.clock())
        else:
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
        if not outcome.tried:
            release(tx, outcome.id, now)
        elif outcome.error:
            mark_failed(tx, outcome.id, outcome.error, now, final=outcome.final)
        else:
            mark_delivered(tx, outcome.id, now)
