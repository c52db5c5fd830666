"""Migrating vaults one after another: what is due, applying it, noting it in the directory. Knows no step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from db.errors import VaultError
from db.registry.directory import VaultEntry
from db.schema.migrate import MigrationSet, due_steps, read_ledger
from db.transaction import Actor
from db.vault.opening import Kind, open_vault
from db.vault.vault import Vault
from handlers.services import REGISTRY_ID, Services
from handlers.tenant.vault_state import record_state, vault_state


@dataclass(frozen=True, slots=True)
class Migrated:
    """What became of one vault. state: current, due, applied or failed. steps: due or applied. error: why it failed."""

    slug: str
    vault_id: str
    state: str
    steps: tuple[str, ...] = ()
    error: VaultError | None = None


def migrate_registry(services: Services, *, check: bool) -> Migrated:
    """Apply, or only look at, what the registry lacks. Opening it applies: look before anything else does."""
    kind = services.registry_kind
    return _attempt(services, REGISTRY_ID, REGISTRY_ID, kind, lambda: services.registry.refusal, check=check)


def migrate_tenant(services: Services, entry: VaultEntry, actor: Actor, *, check: bool) -> Migrated:
    """Apply, or only look at, what one vault lacks. Its failure is in the answer, so that it never stops the rest."""

    def apply() -> VaultError | None:
        """Open the vault, which migrates it, and tell the directory; why it takes no writes, or None."""
        with services.quiet_vault(entry) as vault:
            state, refusal = vault_state(vault), vault.refusal
        services.registry_write(lambda tx: record_state(tx, entry.id, state), actor, services.clock())
        return refusal

    kind = services.kind(services.charter(entry))
    return _attempt(services, entry.slug or entry.id, entry.id, kind, apply, check=check)


def _attempt(
    services: Services, slug: str, vault_id: str, kind: Kind, apply: Callable[[], VaultError | None], *, check: bool
) -> Migrated:
    try:
        # A kind without sets opens the vault as it is.
        vault = open_vault(services.site, vault_id, Kind((), kind.redacted, kind.unaudited, kind.forgettable))
        try:
            due = tuple(str(step) for step in _due(vault, kind.sets))
        finally:
            vault.close()
        if check or not due:
            return Migrated(slug, vault_id, "due" if due else "current", due)
        refusal = apply()
    except VaultError as exc:
        return Migrated(slug, vault_id, "failed", error=exc)
    if refusal is not None:
        return Migrated(slug, vault_id, "failed", due, refusal)
    return Migrated(slug, vault_id, "applied", due)


def _due(vault: Vault, sets: Sequence[MigrationSet]) -> Sequence[object]:
    return vault.read_raw(lambda connection, _: due_steps(read_ledger(connection), sets)).value
