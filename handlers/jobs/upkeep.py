"""Jobs that keep vaults short and effects moving: outbox, log, what has expired, signing keys. Knows no schedule."""

from collections.abc import Callable
from urllib.parse import urlsplit

from db.clock import Moment
from db.idempotency import forget_old_answers
from db.log.retention import Retention, tend
from db.outbox import backlog, forget_old_effects
from db.registry.api_tokens import purge_api_tokens
from db.registry.attempts import purge_attempts
from db.registry.directory import VaultEntry
from db.registry.email_codes import purge_codes
from db.registry.factors import purge_challenges
from db.registry.one_time_links import purge_links
from db.registry.registrations import purge_registrations
from db.registry.security_alerts import purge_alerts
from db.registry.sessions import purge_sessions
from db.registry.sign_in_flows import purge_flows
from db.registry.signing_keys import rotate_signing_keys
from db.transaction import Actor, WriteTx
from db.vault.vault import FIRST_UNCONSTRAINED, Vault
from handlers.jobs.contents import commits_since
from handlers.jobs.job import DUE_AT, Report, time_is_over
from handlers.public.publishing import publish_if_changed
from handlers.services import Services
from handlers.upkeep.delivery import Hooks, deliver_outbox
from handlers.upkeep.webhooks import HttpHooks, is_loopback

HOUR_S = 3600
# A vault with so many commits since the last look gets the next one in an hour.
_BUSY_COMMITS = 500
_MOST_DELIVERIES = 500


def deliver(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Send what is due; the next run is when the next attempt is."""
    # A platform that is reached on this machine only is somebody trying things out: targets here are his own.
    here = is_loopback(urlsplit(services.settings.base_url).hostname or "")
    local = here and services.settings.folder is not None
    hooks = Hooks(HttpHooks(local=local), services.keyring, services.clock)
    done = deliver_outbox(
        vault,
        services.sender,
        now,
        hooks=hooks,
        limit=_MOST_DELIVERIES,
        is_over=time_is_over(services, deadline),
    )
    left = vault.read(backlog, FIRST_UNCONSTRAINED).value
    counts = {"delivered": done.delivered, "failed": done.failed, "waiting": left.waiting, "given_up": left.given_up}
    report: dict[str, int | str] = {name: number for name, number in counts.items() if number}
    if left.next_at is not None:
        report[DUE_AT] = left.next_at
    return report


def publish(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Bring what the vault lets anybody read into the registry, if whoever changed it could not."""
    changed = 0 if entry is None else publish_if_changed(services, vault, entry)
    return {"lines": changed} if changed else {}


def tend_log(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Snapshot, fold commits into ranges, prune; a busy vault is due again in an hour."""
    settings = services.settings
    keep = Retention(points_days=settings.retention_days, commits_hours=settings.level0_hours)
    commits = commits_since(services, vault, "log")
    report: dict[str, int | str] = {"commits": commits, "txid": f"{vault.head.txid:016x}"}
    removed = tend(vault, now.ms, keep)
    if removed:
        report["objects_removed"] = removed
    if commits >= _BUSY_COMMITS:
        report[DUE_AT] = now.later(seconds=HOUR_S)
    return report


def forget_expired(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Remove answers kept for repeats and effects long done; in the registry also codes, links, sessions, tokens."""
    purges: dict[str, Callable[[WriteTx, Moment], int]] = {"answers": forget_old_answers, "effects": forget_old_effects}
    if entry is None:
        purges |= {
            "codes": purge_codes,
            "registrations": purge_registrations,
            "links": purge_links,
            "sessions": purge_sessions,
            "flows": purge_flows,
            "challenges": purge_challenges,
            "attempts": purge_attempts,
            "alerts": purge_alerts,
            "api_tokens": purge_api_tokens,
        }
    removed = vault.write(
        lambda tx: {name: purge(tx, now) for name, purge in purges.items()}, actor_of("tokens"), now
    ).value
    report: dict[str, int | str] = {name: number for name, number in removed.items() if number}
    if entry is None:
        report[DUE_AT] = now.later(seconds=HOUR_S)
    return report


def rotate_keys(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Create, activate and revoke signing keys as they come of age."""
    algorithm = services.settings.signing_algorithm
    rotation = vault.write(
        lambda tx: rotate_signing_keys(tx, services.keyring, now, algorithm), actor_of("keys"), now
    ).value
    counts = {
        "created": len(rotation.created),
        "activated": len(rotation.activated),
        "revoked": len(rotation.revoked),
    }
    return {name: number for name, number in counts.items() if number}


def actor_of(job: str) -> Actor:
    """Who the audit log says did it."""
    return Actor("maintenance", "job", "", f"maintain.{job}")
