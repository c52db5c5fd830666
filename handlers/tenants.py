"""Tenants: provision, fork, load rows. Joins registry and vault in the order that survives an interruption."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from db.clock import Moment
from db.errors import Conflict, Invalid, NotFound
from db.fields import Field, from_text, normalise_email, parse_fields
from db.history import Point, fork
from db.migrate import MigrationSet
from db.open_vault import create_vault
from db.principal import Principal
from db.registry.directory import NewVault, VaultEntry, create_vault_entry, find_slug, find_vault
from db.registry.one_time_links import create_link_token
from db.registry.slugs import slug_availability
from db.rest.references import resolve_references
from db.rest.run import insert_rows
from db.transaction import Actor, WriteTx
from db.vault import Vault
from domain.charter import Charter, Founding, Verb
from domain.charters import CHARTERS
from handlers.identity import Identity, principal_of
from handlers.services import Services

# One commit holds so many rows of a file: few enough that Ctrl-C loses little, enough to share the put.
IMPORT_BATCH = 50


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A new tenant. link: signs its owner in, once, within a day."""

    entry: VaultEntry
    link: str = field(repr=False)


def provision(services: Services, charter_name: str, founding: Founding, actor: Actor) -> Provisioned:
    """A new tenant with its vault, founded, and a sign-in link for the owner.

    The vault comes first and the directory last: interrupted in between, the name is still free and a repeat starts
    over with another vault id. Raises Invalid, Conflict (the slug is taken).
    """
    if charter_name not in CHARTERS:
        raise Invalid(f"got charter {charter_name!r}, wanted one of: {', '.join(CHARTERS)}", field="charter")
    charter, now = CHARTERS[charter_name], services.clock()
    _require_free(services, founding.slug)
    kind, vault_id = services.kind(charter), now.new_id()
    with services.pool.use(vault_id, lambda: create_vault(services.site, vault_id, kind)) as vault:
        scope = vault.write(lambda tx: charter.found(tx, founding, now), actor, now).value
    new = NewVault(vault_id, charter.name, founding.name, founding.slug, scope, _schema_numbers(kind.sets))
    email = normalise_email(founding.owner_email)

    def enter(tx: WriteTx) -> tuple[VaultEntry, str]:
        return create_vault_entry(tx, new, now), create_link_token(tx, email, vault_id, now)

    entry, token = services.registry_write(enter, actor, now)
    return Provisioned(entry, sign_in_link(services, entry, token))


def fork_tenant(services: Services, entry: VaultEntry, new_slug: str, at: str | None, actor: Actor) -> VaultEntry:
    """A tenant of its own under another name that begins as this one was. Raises as `fork` and `provision`."""
    _require_free(services, new_slug)
    charter, now = services.charter(entry), services.clock()
    kind, vault_id = services.kind(charter), now.new_id()
    points: list[Point] = []
    with services.vault(entry) as parent:

        def begin() -> Vault:
            vault, point = fork(parent, services.site, kind, vault_id, at)
            points.append(point)
            return vault

        with services.pool.use(vault_id, begin):
            pass
    numbers = _schema_numbers(kind.sets)
    new = NewVault(vault_id, entry.charter, entry.name, new_slug, entry.scope, numbers, entry.id, points[0].bookmark)
    return services.registry_write(lambda tx: create_vault_entry(tx, new, now), actor, now)


def find_tenant(services: Services, name: str) -> VaultEntry:
    """The vault with this slug or id, whatever its status. Raises NotFound."""
    found = services.registry_read(lambda tx: find_slug(tx, name) or find_vault(tx, name), current=True)
    if found is None:
        raise NotFound(f"no tenant {name!r}; `vaultry tenants list` shows them all")
    return found


def owner_of(services: Services, entry: VaultEntry) -> Principal:
    """The operator, acting with every permission that a role of the charter has."""
    charter = services.charter(entry)
    every = frozenset[str]().union(*charter.roles.values())
    return Principal(None, "operator", entry.scope, every, "operator")


def member_of(services: Services, entry: VaultEntry, email: str) -> Principal:
    """The person of this address, with the rights the vault gives. Raises NotFound."""
    charter, person = services.charter(entry), Identity("person", normalise_email(email))
    with services.vault(entry) as vault:
        principal = vault.read(lambda tx: principal_of(tx, person, entry, charter)).value
    if principal.id is None:
        raise NotFound(f"nobody in {entry.slug} has the address {email}")
    return principal


def sign_in_link(services: Services, entry: VaultEntry, token: str) -> str:
    """The address of the page that signs in with the token of a one-time link."""
    query = urlencode({"type": "magiclink", "token_hash": token})
    return f"{services.settings.base_url}/{entry.slug}/auth/v1/verify?{query}"


@dataclass(frozen=True, slots=True)
class Importing:
    """Rows on their way into a table or through a verb. principal: whose rights and name they go in with."""

    services: Services
    entry: VaultEntry
    target: str
    principal: Principal
    actor: Actor


def import_rows(
    importing: Importing, rows: Sequence[Mapping[str, Any]], progress: Callable[[int], None] = lambda _: None
) -> int:
    """Bring rows in by the rules of REST, a batch per commit; how many.

    progress: told the number of rows that are durable. A bad row stops the import with its number; the batches before
    it stay. Columns such as `work_id.title` look up the row they refer to.
    """
    charter = importing.services.charter(importing.entry)
    verb = charter.verb(importing.target)
    done = 0
    with importing.services.vault(importing.entry) as vault:
        for start in range(0, len(rows), IMPORT_BATCH):
            batch = rows[start : start + IMPORT_BATCH]
            now = importing.services.clock()

            def work(
                tx: WriteTx, batch: Sequence[Mapping[str, Any]] = batch, first: int = start, now: Moment = now
            ) -> None:
                for number, row in enumerate(batch, first + 1):
                    _import_row(vault, importing, charter, verb, tx, row, number, now)

            vault.write(work, importing.actor, now)
            done += len(batch)
            progress(done)
    return done


def _import_row(
    vault: Vault,
    importing: Importing,
    charter: Charter,
    verb: Verb | None,
    tx: WriteTx,
    row: Mapping[str, Any],
    number: int,
    now: Moment,
) -> None:
    typed = {name: _typed(value, verb.params.get(name) if verb else None) for name, value in row.items()}
    try:
        if verb is not None:
            verb.run(tx, importing.principal, parse_fields(typed, verb.params), now)
        else:
            _insert_row(vault, importing, charter, tx, row, now)
    except Exception as exc:
        exc.add_note(f"row {number}")
        raise


def _insert_row(
    vault: Vault, importing: Importing, charter: Charter, tx: WriteTx, row: Mapping[str, Any], now: Moment
) -> None:
    resource = charter.resource(importing.target)
    if resource is None:
        raise NotFound(f"no table or verb {importing.target!r} to import into")
    schema = importing.services.schema(vault, tx)
    resources = {known.table: known for known in charter.resources}
    typed = {name: _typed(value, resource.fields.get(name)) for name, value in row.items()}
    resolved = resolve_references(tx, importing.principal, resources, schema, resource.table, typed, now)
    insert_rows(tx, importing.principal, resource, schema, [resolved], now)


def _typed(value: Any, rule: Field | None) -> Any:
    return from_text(value, rule) if isinstance(value, str) else value


def _require_free(services: Services, slug: str) -> None:
    found = services.registry_read(lambda tx: slug_availability(tx, slug), current=True)
    if found != "available":
        raise Conflict(f"the name {slug!r} is {found}; choose another", code="duplicate", field="slug")


def _schema_numbers(sets: tuple[MigrationSet, ...]) -> dict[str, int]:
    return {migration_set.name: len(migration_set.steps) for migration_set in sets}
