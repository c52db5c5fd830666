"""The job for people: who was forgotten is registered and leaves the file; old audit rows go. Reads no one's data."""

from db.audit.pruning import prune_audit
from db.clock import Moment, years_before
from db.forgetting.wiping import wipe
from db.registry.directory import VaultEntry
from db.vault.vault import Vault
from handlers.jobs.job import Report
from handlers.jobs.upkeep import actor_of
from handlers.services import Services
from handlers.tenant.forgetting import tell_register


def tend_people(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Tell the register, overwrite what forgotten people left in the file, prune the audit log of its oldest rows."""
    if entry is None or vault.refusal is not None:
        return {}
    charter, counts = services.charter(entry), dict[str, int]()
    if charter.people is not None:
        counts |= {"registered": tell_register(services, vault), "wiped": wipe(vault, actor_of("people"), now)}
    if charter.audit_years is not None:
        before = years_before(now.text, charter.audit_years)
        counts["audit_pruned"] = prune_audit(vault, services.keyring, before, actor_of("people"), now)
    return {name: number for name, number in counts.items() if number}
