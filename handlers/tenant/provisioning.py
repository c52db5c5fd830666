"""Tenants: provision, fork, find. Joins registry and vault in the order that survives an interruption."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlencode

from db.clock import Moment
from db.errors import Conflict, Invalid, NotFound
from db.fields import normalise_email
from db.files.copying import copy_contents
from db.history.points import Point, fork
from db.principal import Principal
from db.registry.directory import (
    MAX_PER_PAGE,
    NewVault,
    VaultEntry,
    create_vault_entry,
    find_slug,
    find_vault,
    list_vaults,
)
from db.registry.one_time_links import create_link_token
from db.registry.slugs import slug_availability
from db.schema.migrate import MigrationSet
from db.schema.state import expected_digest, read_schema_state
from db.transaction import Actor, WriteTx
from db.vault.opening import create_vault
from db.vault.vault import Vault
from domain.charter import Founding
from domain.charters import CHARTERS
from handlers.http.identity import Identity, principal_of
from handlers.services import Services
from handlers.tenant.forgetting import settling
from handlers.tenant.own_schema import charter_of


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A new tenant. link: signs its owner in, once, within a day."""

    entry: VaultEntry
    link: str = field(repr=False)


def _leave_empty(entry: VaultEntry) -> None:
    """Add nothing to what founding made."""


def provision(
    services: Services,
    charter_name: str,
    founding: Founding,
    actor: Actor,
    fill: Callable[[VaultEntry], None] = _leave_empty,
) -> Provisioned:
    """A new tenant with its vault, founded, and a sign-in link for the owner.

    fill: brings in the first rows; it gets the entry as it will be. The vault comes first and the directory last:
    interrupted in between, the name is still free and a repeat starts over with another vault id. Raises Invalid,
    Conflict (the slug is taken), and what `fill` raises.
    """
    now = services.clock()
    new = prepare_vault(services, charter_name, founding, actor, now)
    fill(_entry_to_be(new, now))
    email = normalise_email(founding.owner_email)

    def enter(tx: WriteTx) -> tuple[VaultEntry, str]:
        return create_vault_entry(tx, new, now), create_link_token(tx, email, new.id, now)

    entry, token = services.registry_write(enter, actor, now)
    with services.quiet_vault(entry) as vault:
        services.publish(vault, entry)
    return Provisioned(entry, sign_in_link(services, entry.slug, token))


def prepare_vault(
    services: Services, charter_name: str, founding: Founding, actor: Actor, now: Moment, vault_id: str | None = None
) -> NewVault:
    """A new vault, founded, that has yet to enter the directory. vault_id: of the vault; None = a new one.

    Raises Invalid, Conflict (the slug is taken).
    """
    if charter_name not in CHARTERS:
        raise Invalid(f"got charter {charter_name!r}, wanted one of: {', '.join(CHARTERS)}", field="charter")
    charter = CHARTERS[charter_name]
    _require_free(services, founding.slug)
    kind, new_id = services.kind(charter), vault_id or now.new_id()
    with services.pool.use(new_id, lambda: create_vault(services.site, new_id, kind)) as vault:
        scope = vault.write(lambda tx: charter.found(tx, founding, now), actor, now).value
    numbers = schema_numbers(kind.sets)
    digest = expected_digest(kind.sets, tuple(numbers.items()))
    return NewVault(new_id, charter.name, founding.name, founding.slug, scope, numbers, schema_hash=digest)


def fork_tenant(services: Services, entry: VaultEntry, new_slug: str, at: str | None, actor: Actor) -> VaultEntry:
    """A tenant of its own under another name that begins as this one was. Raises as `fork` and `provision`."""
    _require_free(services, new_slug)
    charter, now = services.charter(entry), services.clock()
    kind, vault_id = services.kind(charter), now.new_id()
    points: list[Point] = []
    with services.vault(entry) as parent:
        settle = settling(services, charter, parent)

        def begin() -> Vault:
            vault, point = fork(parent, services.site, kind, vault_id, at)
            points.append(point)
            return vault

        with services.pool.use(vault_id, begin) as vault:
            copy_contents(services.site.store, entry.id, vault, actor, now)
            if at is not None:
                vault.write(settle, actor, now)
            state = vault.read_raw(lambda connection, _: read_schema_state(connection)).value
    new = NewVault(
        vault_id,
        entry.charter,
        entry.name,
        new_slug,
        entry.scope,
        state.numbers,
        entry.id,
        points[0].bookmark,
        state.digest,
    )
    return services.registry_write(lambda tx: create_vault_entry(tx, new, now), actor, now)


def find_tenant(services: Services, name: str) -> VaultEntry:
    """The vault with this slug or id, whatever its status. Raises NotFound."""
    found = services.registry_read(lambda tx: find_slug(tx, name) or find_vault(tx, name), current=True)
    if found is None:
        raise NotFound(f"no tenant {name!r}; `vaultry tenants list` shows them all")
    return found


def every_tenant(services: Services, status: str | None = None) -> list[VaultEntry]:
    """Every vault of this status, the oldest first; None = all but deleted."""
    entries: list[VaultEntry] = []
    page = 0
    while True:
        page += 1
        listed = partial(list_vaults, page=page, per_page=MAX_PER_PAGE, status=status)
        found = services.registry_read(listed, current=True)
        entries += found.entries
        if len(entries) >= found.total or not found.entries:
            return entries


def owner_of(services: Services, entry: VaultEntry) -> Principal:
    """The operator, acting with every permission that a role of the charter has."""
    every = frozenset[str]().union(*charter_of(services, entry).roles.values())
    return Principal(None, "operator", entry.scope, every, "operator")


def member_of(services: Services, entry: VaultEntry, email: str) -> Principal:
    """The person of this address, with the rights the vault gives. Raises NotFound."""
    charter, person = services.charter(entry), Identity("person", normalise_email(email))
    with services.vault(entry) as vault:
        principal = vault.read(lambda tx: principal_of(tx, person, entry, charter)).value
    if principal.id is None:
        raise NotFound(f"nobody in {entry.slug} has the address {email}")
    return principal


def new_sign_in_link(services: Services, entry: VaultEntry, email: str, actor: Actor) -> str:
    """The address at which a person of the vault signs in, once, within a day; the one before stops working.

    Raises NotFound when the vault does not know the address: the link would lead nowhere.
    """
    person, now = member_of(services, entry, email), services.clock()
    token = services.registry_write(lambda tx: create_link_token(tx, person.email, entry.id, now), actor, now)
    return sign_in_link(services, entry.slug, token)


def sign_in_link(services: Services, slug: str, token: str) -> str:
    """The address of the page that signs in with the token of a one-time link."""
    query = urlencode({"type": "magiclink", "token_hash": token})
    return f"{services.settings.base_url}/{slug}/auth/v1/verify?{query}"


def _entry_to_be(new: NewVault, now: Moment) -> VaultEntry:
    """The entry as the directory will give it."""
    return VaultEntry(
        id=new.id,
        slug=new.slug,
        scope=new.scope,
        charter=new.charter,
        name=new.name,
        status="active",
        schema=new.schema,
        bookmark=None,
        size_bytes=0,
        created_at=now.text,
        suspended_at=None,
        deleted_at=None,
        parent_vault_id=None,
        parent_bookmark=None,
    )


def _require_free(services: Services, slug: str) -> None:
    found = services.registry_read(lambda tx: slug_availability(tx, slug), current=True)
    if found != "available":
        raise Conflict(f"the name {slug!r} is {found}; choose another", code="duplicate", field="slug")


def schema_numbers(sets: tuple[MigrationSet, ...]) -> dict[str, int]:
    """The last step of each set, as the directory keeps it."""
    return {migration_set.name: len(migration_set.steps) for migration_set in sets}
