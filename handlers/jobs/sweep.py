"""The sweep: what killed writers left behind in the store. Knows ids and ages of objects; opens no vault."""

import json
import logging
from collections.abc import Sequence

from db.clock import Moment
from db.log.commit_log import COMMIT_LEVEL, CommitLog, LogObject
from db.log.retention import DAY_MS
from db.registry.directory import VaultEntry, find_vault
from db.registry.maintenance_runs import REGISTRY
from db.stores.base import Browsable, Staging
from db.vault.vault import Vault
from handlers.fleet.scratch import sweep_scratch
from handlers.jobs.job import DUE_AT, Report, time_is_over
from handlers.services import Services

_LOG = logging.getLogger("vaultry")
# An upload that began so long ago is nobody's any more.
STALE_MS = DAY_MS
# A log without an entry in the directory: a tenant whose making was interrupted, unless it is being made right now.
ORPHAN_MS = DAY_MS
REMOVED_MS = 7 * DAY_MS
_VAULTS = "vaults/"


def sweep(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Remove stale staging files, vaults outside the directory whose maker is dead, and, of logs that no tenant owns,
    those that are a single commit of a week ago.

    Other orphans are counted and named in the log: they hold something, so a person decides.
    """
    store = services.site.store
    report: dict[str, int | str] = {}
    report["scratch_removed"] = sweep_scratch(services, now)
    if isinstance(store, Staging):
        report["staged_removed"] = store.remove_stale(before_ms=now.ms - STALE_MS)
    if isinstance(store, Browsable):
        is_over = time_is_over(services, deadline)
        for vault_id in _unknown(services, store.folders(_VAULTS, op="sweep:list")):
            if is_over():
                report[DUE_AT] = now.text
                break
            _judge(services, vault_id, now, report)
    return {name: value for name, value in report.items() if value}


def _unknown(services: Services, vault_ids: Sequence[str]) -> list[str]:
    """The ids that are not in the directory. It is read after the listing: what is made meanwhile is not among them."""
    return services.registry_read(
        lambda tx: [found for found in vault_ids if found != REGISTRY and find_vault(tx, found) is None], current=True
    )


def _judge(services: Services, vault_id: str, now: Moment, report: dict[str, int | str]) -> None:
    log = CommitLog(services.site.store, vault_id)
    objects = log.list_all()
    newest_ms = max((found.modified_ms for found in objects), default=now.ms)
    if newest_ms > now.ms - ORPHAN_MS:
        return
    removable = _is_bare(objects) and newest_ms <= now.ms - REMOVED_MS
    if removable:
        log.delete(objects)
    name = "orphans_removed" if removable else "orphans"
    report[name] = int(report.get(name, 0)) + 1
    found = {"event": "OrphanFound", "vault": vault_id, "objects": len(objects), "removed": removable}
    _LOG.warning("%s", json.dumps(found))


def _is_bare(objects: Sequence[LogObject]) -> bool:
    """Whether the log is the commit every vault begins with, and nothing else."""
    return [(found.level, found.min_txid, found.max_txid) for found in objects] == [(COMMIT_LEVEL, 1, 1)]
