"""What a vault offers one caller: the tables and verbs that its rights open. Knows charters; not documents or HTTP."""

from collections.abc import Container, Iterable
from functools import cache
from typing import NamedTuple

from db.description.declared_values import read_declared_values
from db.description.notes import Notes, read_notes
from db.description.tables import DescribedTable, Facts, describe_tables
from db.description.verbs import DescribedVerb, result_of
from db.principal import Principal
from db.registry.directory import VaultEntry
from db.schema.migrate import MigrationSet
from db.transaction import ReadTx
from db.vault.vault import Vault
from domain.charter import Charter, Verb
from handlers.http.identity import Identity, principal_of
from handlers.services import Services


class Offer(NamedTuple):
    """The tables and verbs one caller may use. operator: whether what only operators may do is open too."""

    tables: tuple[DescribedTable, ...]
    verbs: tuple[DescribedVerb, ...]
    operator: bool = False


def offer_to(services: Services, vault: Vault, tx: ReadTx, entry: VaultEntry, identity: Identity) -> Offer:
    """What the caller of a request is offered."""
    charter, token = services.charter(entry), identity.token
    principal = principal_of(tx, identity, entry, charter)
    resources = charter.resources_at(tx, services.schema(vault, tx))
    tables = [known.table for known in resources if token is None or token.may_read(known.table)]
    read_only = token is not None and token.read_only
    verbs = [verb for verb in charter.verbs if token is None or token.may_call(verb.name, writes=verb.writes)]
    offer = described(services, vault, tx, charter, principal, tables, verbs, read_only=read_only)
    return offer._replace(operator=identity.kind == "operator")


def described(
    services: Services,
    vault: Vault,
    tx: ReadTx,
    charter: Charter,
    principal: Principal,
    tables: Iterable[str],
    verbs: Iterable[Verb],
    *,
    read_only: bool = False,
) -> Offer:
    """Those of the tables and verbs that the principal may use at all."""
    reached, schema = frozenset(tables), services.schema(vault, tx)
    resources = {known.table: known for known in charter.resources_at(tx, schema) if known.table in reached}
    facts = Facts(schema, read_declared_values(tx), _notes(charter.migration_sets))
    open_verbs = [verb for verb in verbs if not verb.allow or principal.may(*verb.allow)]
    described_tables = describe_tables(facts, resources, principal, read_only=read_only)
    known = {table.name for table in described_tables}
    return Offer(described_tables, tuple(_verb(verb, known) for verb in open_verbs))


def _verb(verb: Verb, tables: Container[str]) -> DescribedVerb:
    """The verb; the rows it answers with have a name only where the caller knows their table."""
    rows = verb.rows if verb.rows is not None and verb.rows in tables else None
    return DescribedVerb(verb.name, verb.writes, verb.summary, verb.params, result_of(verb.run), rows)


@cache
def _notes(sets: tuple[MigrationSet, ...]) -> Notes:
    """What the migration sets say."""
    return read_notes(sets)
