"""The jobs for files: what nothing can need any more goes, what is needed is still there. Knows no name and no byte."""

from db.clock import Moment
from db.errors import VaultError
from db.files.checking import check_contents
from db.files.collecting import collect
from db.files.ledger import keeps_files
from db.files.table import drop_ownerless, has_ownerless
from db.registry.directory import VaultEntry
from db.vault.vault import Vault
from handlers.jobs.job import Report
from handlers.jobs.upkeep import actor_of
from handlers.services import Services
from handlers.storage.visit import rules_of


def collect_files(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Take away files without a row; remove contents and parts of uploads that are due."""
    if entry is None or vault.refusal is not None or not vault.read(keeps_files).value:
        return {}
    rules, actor = rules_of(services, entry, services.charter(entry)), actor_of("files")
    dropped = 0
    if vault.read(lambda tx: has_ownerless(tx, rules)).value:
        dropped = vault.write(lambda tx: drop_ownerless(tx, rules), actor, now).value
    done = collect(services.site.store, vault, actor, services.settings.retention_days, now)
    counts = {"ownerless": dropped, "forgotten": done.forgotten, "objects": done.objects, "uploads": done.uploads}
    return {name: number for name, number in counts.items() if number}


def check_files(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Count the contents and look whether the store has each. Raises VaultError (contents_lost) with the number."""
    if entry is None or not vault.read(keeps_files).value:
        return {}
    found = check_contents(services.site.store, vault, now)
    if found.lost:
        raise VaultError(f"{found.lost} of {found.contents} contents are lost or cut short", code="contents_lost")
    counts = {"contents": found.contents, "unknown": found.unknown}
    return {name: number for name, number in counts.items() if number}
