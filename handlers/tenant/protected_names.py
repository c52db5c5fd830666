"""Which objects of a vault SQL that somebody sends must leave as they are. Knows charters; runs nothing."""

from db.registry.directory import VaultEntry
from db.schema.declared_objects import declared_objects
from handlers.services import Services


def protected_names(services: Services, entry: VaultEntry) -> frozenset[str]:
    """The charter's own tables, views, indexes and triggers; whoever brings the schema himself may change all of it."""
    charter = services.charter(entry)
    return declared_objects(services.kind(charter).sets) if charter.resources else frozenset()
