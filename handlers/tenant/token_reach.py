"""What a new API token may reach, checked against the charter of its vault. Knows charters; makes no token."""

from collections.abc import Sequence

from db.errors import Invalid
from db.registry.api_tokens import TokenReach
from db.registry.directory import VaultEntry
from domain.charter import Charter


def vault_reach(
    charter: Charter,
    entry: VaultEntry,
    role: str,
    tables: Sequence[str],
    verbs: Sequence[str],
    *,
    read_only: bool = False,
    expires_at: str | None = None,
) -> TokenReach:
    """The reach of a token that acts as a role in one vault.

    tables, verbs: names it is narrowed to; naming some of one kind leaves none of the other, naming nothing leaves
    all. Raises Invalid for a role, table or verb that the charter does not have.
    """
    _check("role", [role], list(charter.roles))
    _check("table", tables, [resource.table for resource in charter.resources])
    _check("verb", verbs, [verb.name for verb in charter.verbs])
    narrowed = bool(tables or verbs)
    return TokenReach(
        vault_id=entry.id,
        role=role,
        scope=entry.scope,
        tables=list(tables) if narrowed else None,
        verbs=list(verbs) if narrowed else None,
        read_only=read_only,
        expires_at=expires_at,
    )


def _check(kind: str, given: Sequence[str], known: Sequence[str]) -> None:
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise Invalid(f"{kind}: got {unknown!r}, wanted one of: {', '.join(known)}", field=kind)
