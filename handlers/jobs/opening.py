"""One vault for the time of its upkeep. Knows the pool and the local copies; not what is done with the vault."""

from collections.abc import Generator
from contextlib import contextmanager

from db.registry.directory import VaultEntry
from db.vault.cache_discard import discard_copies, has_copy
from db.vault.vault import Vault
from handlers.services import Services


@contextmanager
def opened(services: Services, entry: VaultEntry | None) -> Generator[Vault]:
    """The vault, open for the block; None = the registry.

    One that was closed before is closed again, and its copy on this disk removed if there was none: a round over ten
    thousand vaults leaves neither open files nor copies behind, and hardly moves the vaults that requests use.
    """
    if entry is None:
        yield services.registry
        return
    with services.pool.borrow(entry.id) as vault:
        if vault is not None:
            yield vault
            return
    had_copy = has_copy(services.site.cache, entry.id)
    try:
        with services.quiet_vault(entry) as vault:
            yield vault
    finally:
        # Stays open if a request has come for it meanwhile.
        services.pool.close(entry.id)
        if not had_copy:
            discard_copies(services.site.cache, entry.id)
