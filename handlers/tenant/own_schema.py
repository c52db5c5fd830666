"""A vault whose schema is its owner's: the charter as that vault completes it. Holds no rule and no SQL."""

from dataclasses import replace

from db.registry.directory import VaultEntry
from db.transaction import ReadTx
from domain.charter import Charter
from handlers.services import Services


def charter_of(services: Services, entry: VaultEntry) -> Charter:
    """The charter with the roles and tables of this very vault."""
    charter = services.charter(entry)
    if charter.own_schema is None:
        return charter
    with services.vault(entry) as vault:

        def read(tx: ReadTx) -> Charter:
            resources = charter.resources_at(tx, services.schema(vault, tx))
            return replace(charter, roles=charter.roles_at(tx), resources=resources)

        return vault.read(read).value
