"""Forgotten people stay forgotten: the register outside the vault, and its replay. Joins registry, vault and charter.

The vault knows by itself whom it forgot, and a restore keeps that. The register is for what did not come through a
restore: an archive of an earlier day, or a log that was set back by hand in the store.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress

from db.clock import Moment
from db.errors import VaultError
from db.forgetting.ledger import Forgotten, forget_again, forgotten_here, mark_told, untold
from db.registry.forgotten_people import register_forgotten, registered_forgotten
from db.registry.sessions import end_sessions_of_vault
from db.transaction import Actor, WriteTx
from db.vault.vault import FIRST_PRIMARY, Vault
from domain.charter import Charter
from handlers.services import Services

_TELLING = Actor("system", "system", "", "people.register")


def tell_register(services: Services, vault: Vault) -> int:
    """Enter those forgotten in the vault in the register; how many it did not know. Interrupted, it is done again."""
    people = vault.read(untold, FIRST_PRIMARY).value
    if not people:
        return 0
    now = services.clock()
    new = services.registry_write(lambda tx: register_forgotten(tx, vault.id, people), _TELLING, now)
    vault.write(lambda tx: mark_told(tx, people, now), _TELLING, now)
    return new


def known_forgotten(services: Services, vault_id: str, vault: Vault | None = None) -> list[Forgotten]:
    """Everybody who was forgotten in a vault, by the register and, if it is given, by the vault itself."""
    registered = services.registry_read(lambda tx: registered_forgotten(tx, vault_id), current=True)
    here = [] if vault is None else vault.read(forgotten_here, FIRST_PRIMARY).value
    return list({(one.table, one.key): one for one in (*here, *registered)}.values())


def forgetting(charter: Charter, people: Iterable[Forgotten], now: Moment) -> Callable[[WriteTx], int]:
    """What brings an earlier state, or rows of one, to where these people are forgotten; a work of a transaction."""
    known = list(people)

    def settle(tx: WriteTx) -> int:
        return 0 if charter.people is None else forget_again(tx, charter.people, known, now)

    return settle


def settling(services: Services, charter: Charter, vault: Vault) -> Callable[[WriteTx], int]:
    """As `forgetting`, for everybody who is known to have been forgotten in this vault."""
    known = [] if charter.people is None else known_forgotten(services, vault.id, vault)
    return forgetting(charter, known, services.clock())


def end_sessions(services: Services, vault_id: str, actor: Actor) -> int:
    """Sign everybody out of a vault that was set back; how many sessions ended.

    An access token that is out already lives on for its quarter of an hour, with the rights the vault gives now.
    """
    now = services.clock()
    with suppress(VaultError):
        return services.registry_write(lambda tx: end_sessions_of_vault(tx, vault_id, now), actor, now)
    return 0
