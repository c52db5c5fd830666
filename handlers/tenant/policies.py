"""Policies in a vault whose schema is its owner's: shown, checked, put in force. No SQL, no terminal."""

from dataclasses import dataclass
from typing import Any

from db.errors import Conflict
from db.policies.changing import apply_policies
from db.policies.declared import declared_of, document_of, read_stored
from db.policies.own_tables import broken_policies
from db.registry.directory import VaultEntry
from db.transaction import Actor, ReadTx, WriteTx
from domain.charter import Charter, OwnSchema
from handlers.services import Services


@dataclass(frozen=True, slots=True)
class PoliciesNow:
    """What a vault declares. broken: lines about what has no meaning in its schema. closed: tables not declared."""

    document: dict[str, Any]
    broken: list[str]
    closed: list[str]


def read_policies(services: Services, entry: VaultEntry) -> PoliciesNow:
    """What is declared. Raises Conflict (charter_declares)."""
    charter, _ = _with_own_schema(services, entry)
    with services.vault(entry) as vault:

        def read(tx: ReadTx) -> PoliciesNow:
            stored, schema = read_stored(tx), services.schema(vault, tx)
            declared = declared_of(stored)
            tables = [known.table for known in charter.resources_at(tx, schema)]
            closed = [name for name in tables if name not in declared.tables]
            return PoliciesNow(document_of(stored), broken_policies(tx, schema, declared), closed)

        return vault.read(read).value


def change_policies(
    services: Services, entry: VaultEntry, document: Any, actor: Actor, *, only_check: bool = False
) -> tuple[list[str], str]:
    """Make the document all that the vault declares; the tables and roles that changed, and the bookmark.

    Raises Invalid (policies_invalid), Conflict (charter_declares).
    """
    _, own_schema = _with_own_schema(services, entry)
    with services.vault(entry) as vault:
        tried: list[list[str]] = []

        def write(tx: WriteTx) -> list[str]:
            changed = apply_policies(tx, services.schema(vault, tx), document, own_schema.words)
            if only_check:
                tried.append(changed)
                raise _OnlyTried
            return changed

        try:
            answer = vault.write(write, actor, services.clock())
        except _OnlyTried:
            return tried[-1], vault.bookmark
    return answer.value, answer.bookmark


class _OnlyTried(Exception):
    """Ends a transaction that is to leave no trace."""


def _with_own_schema(services: Services, entry: VaultEntry) -> tuple[Charter, OwnSchema]:
    charter = services.charter(entry)
    if charter.own_schema is None:
        raise Conflict(
            f"{entry.slug} runs the charter {charter.name}, which says itself who may do what", code="charter_declares"
        )
    return charter, charter.own_schema
