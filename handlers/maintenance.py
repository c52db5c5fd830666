"""Work between requests, in rounds: deliver, shorten logs, forget what is over, report. Knows jobs; not who calls them.

Every job may be interrupted, run twice, or run at the same time elsewhere. One that fails is logged and stops no other.
"""

import json
import logging
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from db.clock import Moment
from db.idempotency import forget_old_answers
from db.migrate import read_ledger
from db.registry.directory import find_vault, record_vault_state
from db.registry.email_codes import purge_codes
from db.registry.one_time_links import purge_links
from db.registry.refresh_tokens import purge_sessions
from db.registry.signing_keys import rotate_signing_keys
from db.retention import DAY_MS, Retention, tend
from db.stores.base import ObjectStore
from db.stores.directory import DirectoryStore
from db.transaction import Actor, WriteTx
from db.vault import Vault
from handlers.delivery import deliver_outbox
from handlers.services import Services

_LOG = logging.getLogger("vaultry")
Job = Callable[[Vault], object]


def maintain(services: Services, keep: Retention) -> None:
    """One round over the registry and the vaults this process has open."""
    now = services.clock()
    _sweep(services.site.store, now)
    common: Sequence[tuple[str, Job]] = (
        ("outbox.deliver", lambda vault: deliver_outbox(vault, services.sender, now)),
        ("answers.forget", lambda vault: _write(vault, "answers.forget", forget_old_answers, now)),
        ("log.tend", lambda vault: tend(vault, now.ms, keep)),
    )
    _run(services.registry, (*_registry_jobs(services, now), *common))
    for vault_id in services.pool.open_ids():
        with services.pool.borrow(vault_id) as vault:
            if vault is not None:
                _run(vault, (*common, ("state.report", lambda vault: _report(services.registry, vault, now))))


def _sweep(store: ObjectStore, now: Moment) -> None:
    """Remove what writers that were killed left beside a directory store; after a day none of it is in flight."""
    if isinstance(store, DirectoryStore):
        with suppress(OSError):
            store.remove_stale(before_ms=now.ms - DAY_MS)


def _registry_jobs(services: Services, now: Moment) -> Sequence[tuple[str, Job]]:
    """What only the registry needs. A work that finds nothing to do makes no commit."""

    def rotate(tx: WriteTx, now: Moment) -> object:
        return rotate_signing_keys(tx, services.keyring, now)

    works = {
        "keys.rotate": rotate,
        "codes.purge": purge_codes,
        "links.purge": purge_links,
        "sessions.purge": purge_sessions,
    }
    return [(name, partial(_write, verb=name, work=work, now=now)) for name, work in works.items()]


def _write(vault: Vault, verb: str, work: Callable[[WriteTx, Moment], object], now: Moment) -> None:
    vault.write(lambda tx: work(tx, now), Actor(verb, "job", "", verb), now)


def _report(registry: Vault, vault: Vault, now: Moment) -> None:
    """Tell the directory where the vault stands, if that is news."""
    ledger = vault.read_raw(lambda connection, _: read_ledger(connection)).value
    schema = {name: max(number for known, number, _ in ledger if known == name) for name, _, _ in ledger}
    bookmark, size = vault.bookmark, vault.local_bytes
    known = registry.read(lambda tx: find_vault(tx, vault.id)).value
    if known is None or (known.bookmark == bookmark and dict(known.schema) == schema):
        return

    def record(tx: WriteTx, _: Moment) -> object:
        return record_vault_state(tx, vault.id, schema=schema, bookmark=bookmark, size_bytes=size)

    _write(registry, "state.report", record, now)


def _run(vault: Vault, jobs: Sequence[tuple[str, Job]]) -> None:
    for name, job in jobs:
        try:
            job(vault)
        except Exception as exc:
            # Not the text of the error: it may quote a row.
            place = traceback.extract_tb(exc.__traceback__)[-1]
            failed = {"event": "JobFailed", "job": name, "vault": vault.id, "error": type(exc).__name__}
            _LOG.error("%s", json.dumps({**failed, "at": f"{place.filename}:{place.lineno}"}))
