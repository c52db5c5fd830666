"""Erasing deleted tenants for good, with a certificate. Joins registry, store and disk in an order that may be killed.

First the registry notes that it has begun and what there is; from then on nothing brings the vault back. Then the data
key, the objects, this machine's copies. The directory forgets the vault in the transaction that issues the certificate,
so whatever is not certified is found again and finished.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

from db.archive.erasure import count_objects, data_keys, destroy_key, remove_copies, remove_objects
from db.clock import Moment
from db.errors import VaultError
from db.registry.directory import VaultEntry, vaults_to_forget
from db.registry.erasures import (
    Erasure,
    begin_erasure,
    check_erasable,
    erased_since,
    find_erasure,
    finish_erasure,
    unfinished_erasures,
)
from db.transaction import Actor
from handlers.services import Services

VERB = "tenants.purge"
_JOB = Actor(VERB, "job", "", VERB)
# A process that had the vault open may put one more object behind the last look; later it has closed it.
_SWEEP_SECONDS = 2 * 86400
Step = Callable[[str], None]


def _unobserved(step: str) -> None:
    """Nobody wants to know which step it is."""


def purge(
    services: Services, entry: VaultEntry, actor: Actor, *, early: bool = False, step: Step = _unobserved
) -> Erasure:
    """Erase a deleted vault; the certified erasure. early: before its 30 days are over. step: told before each step.

    Interrupted, the next call goes on. Raises Conflict `vault_kept`, StoreUnavailable, Unavailable.
    """
    step("begin")
    begun = _begin(services, entry.id, actor, early=early)
    services.pool.close(entry.id)
    return _go_on(services, begun, actor, step)


def purge_due(services: Services, now: Moment, deadline: Moment) -> Mapping[str, int]:
    """Erase what was deleted 30 days ago, finish what was begun, sweep up after the last ones; counts.

    purged: certified by this call. swept: objects that came after their vault was erased. left: vaults not reached
    before the deadline. One that fails stops no other. Raises VaultError `purge_failed` afterwards.
    """
    begun = services.registry_read(unfinished_erasures, current=True)
    old = services.registry_read(lambda tx: vaults_to_forget(tx, now))
    due = [*begun, *(vault_id for vault_id in old if vault_id not in begun)]
    counts = {"purged": 0, "swept": _sweep(services, now), "left": 0}
    failed: dict[str, VaultError] = {}
    for position, vault_id in enumerate(due):
        if services.clock().ms >= deadline.ms:
            counts["left"] = len(due) - position
            break
        try:
            erasure = _begin(services, vault_id, _JOB, early=False)
            services.pool.close(vault_id)
            _go_on(services, erasure, _JOB, _unobserved)
            counts["purged"] += 1
        except VaultError as exc:
            failed[vault_id] = exc
    if failed:
        named = "; ".join(f"{vault_id}: {error.code}" for vault_id, error in list(failed.items())[:5])
        raise VaultError(f"{len(failed)} vaults could not be erased: {named}", code="purge_failed", details=str(counts))
    return counts


def _begin(services: Services, vault_id: str, actor: Actor, *, early: bool) -> Erasure:
    """The erasure, noted in the registry."""
    now = services.clock()
    begun = services.registry_read(lambda tx: find_erasure(tx, vault_id), current=True)
    if begun is not None:
        return begun
    services.registry_read(lambda tx: check_erasable(tx, vault_id, now, early=early))
    facts = {"data_keys": data_keys(services.site, vault_id), **count_objects(services.site, vault_id)}
    return services.registry_write(
        lambda tx: begin_erasure(tx, services.keyring, vault_id, facts, now, early=early), actor, now
    )


def _go_on(services: Services, erasure: Erasure, actor: Actor, step: Step) -> Erasure:
    if erasure.issued_at is not None:
        return erasure
    vault_id, site = erasure.vault_id, services.site
    step("key")
    destroy_key(site, vault_id, replace(actor, verb="data_key.destroy"), services.clock())
    step("objects")
    remove_objects(site, vault_id)
    step("copies")
    copies = remove_copies(site.cache, vault_id)
    step("certificate")
    now, issuer = services.clock(), services.settings.issuer
    certified = services.registry_write(
        lambda tx: finish_erasure(tx, services.keyring, vault_id, {"local_copies": asdict(copies)}, issuer, now),
        actor,
        now,
    )
    step("sweep")
    remove_objects(site, vault_id)
    return certified


def _sweep(services: Services, now: Moment) -> int:
    """Remove what processes that had a vault open put into its log after it was erased; how many objects."""
    swept = 0
    for vault_id in services.registry_read(lambda tx: erased_since(tx, now.later(seconds=-_SWEEP_SECONDS))):
        swept += remove_objects(services.site, vault_id)
        remove_copies(services.site.cache, vault_id)
    return swept
