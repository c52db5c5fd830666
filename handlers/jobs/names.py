"""The job for addresses that interrupted writers held: given to what was written, or freed. Knows no charter's rule."""

from functools import partial

from db.clock import Moment
from db.errors import VaultError
from db.registry.directory import VaultEntry, find_vault
from db.registry.slug_reservations import HELD_SECONDS, forgotten_reservations, next_reservation
from db.vault.vault import Vault
from handlers.jobs.job import DUE_AT, Report, time_is_over
from handlers.public.address import AFTER_SECONDS, settle_address
from handlers.services import Services


def settle(services: Services, vault: Vault, entry: VaultEntry | None, now: Moment, deadline: Moment) -> Report:
    """Look into the vault of each address that was held a minute ago and still is, or given up 30 days ago.

    One that nothing has is freed only after an hour: until then its writer may be under way.
    """
    is_over = time_is_over(services, deadline)
    counts = {"settled": 0, "held": 0, "failed": 0}
    for held in services.registry_read(lambda tx: forgotten_reservations(tx, now, AFTER_SECONDS), current=True):
        if is_over():
            break
        owner = services.registry_read(partial(find_vault, vault_id=held.vault_id))
        try:
            # A vault that is gone took its reservations along.
            done = owner is None or settle_address(services, owner, held, now, frees=_is_old(held.reserved_at, now))
        except VaultError:
            counts["failed"] += 1
            continue
        counts["settled" if done else "held"] += 1
    report: dict[str, int | str] = {name: number for name, number in counts.items() if number}
    oldest = services.registry_read(next_reservation)
    # The round of every hour comes in time for what is given up in some weeks.
    if oldest is not None and oldest <= now.text:
        report[DUE_AT] = now.later(seconds=HELD_SECONDS if counts["held"] else AFTER_SECONDS)
    return report


def _is_old(reserved_at: str, now: Moment) -> bool:
    return reserved_at <= now.later(seconds=-HELD_SECONDS)
