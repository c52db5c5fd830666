"""Throttling what anybody may write: counted by network and by vault before it is judged. Knows no verb by name."""

from db.registry.attempts import Counter, Limit, counter, network_of, take_attempt
from db.registry.directory import VaultEntry
from db.transaction import Actor, WriteTx
from handlers.http.call import Call
from handlers.services import Services

_HOUR_S = 3600
_ACTOR = Actor("guest", "guest", "", "public.count")


def take_public_write(services: Services, call: Call, entry: VaultEntry) -> None:
    """Count one write against the caller's network, as far as it is known, and the vault. Raises RateLimited."""
    settings, ring = services.settings, services.keyring
    network = network_of(call.address)
    counters: list[Counter] = []
    if network:
        counters.append(counter(ring, Limit("public write network", settings.public_writes, _HOUR_S), network))
    counters.append(counter(ring, Limit("public write vault", settings.public_vault_writes, _HOUR_S), entry.id))

    def count(tx: WriteTx) -> None:
        take_attempt(tx, tuple(counters), call.now)

    services.registry_write(count, _ACTOR, call.now, call.began)
