"""Rows of a file on their way into a vault, by the rules of REST, a batch per commit. Knows rows; no file format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.clock import Moment
from db.errors import Forbidden, Invalid, NotFound, VaultError
from db.fields import Field, from_text, parse_fields
from db.principal import Principal
from db.registry.directory import VaultEntry
from db.rest.references import resolve_references
from db.rest.run import insert_rows
from db.schema.constraints import constraints_translated
from db.transaction import Actor, WriteTx
from db.vault.vault import Vault
from domain.charter import Charter, Verb
from handlers.services import Services

# One commit holds so many rows: few enough that an interruption loses little, enough to share the put.
IMPORT_BATCH = 50


@dataclass(frozen=True, slots=True)
class Importing:
    """Rows on their way into a table or through a verb. principal: whose rights and name they go in with."""

    services: Services
    entry: VaultEntry
    target: str
    principal: Principal
    actor: Actor


class RowRefused(VaultError):
    """A row of an import was refused; its code is that of the reason. number: of the row, from 1."""

    def __init__(self, number: int, reason: VaultError) -> None:
        super().__init__(f"row {number}: {reason.message}", code=reason.code, field=reason.field, hint=reason.hint)
        self.number = number


def import_rows(
    importing: Importing,
    rows: Sequence[Mapping[str, Any]],
    progress: Callable[[int], None] = lambda _: None,
    skip: int = 0,
) -> int:
    """Bring rows in by the rules of REST, a batch per commit; how many.

    skip: so many rows at the start are left out. progress: told how many rows are durable, skipped ones counted; what
    it raises stops the import there. Columns such as `work_id.title` look up the row they refer to.
    Raises RowRefused; the batches before that row's stay. Raises Forbidden, Invalid for a verb the principal may not
    call or that only reads, NotFound for no such table or verb.
    """
    charter = importing.services.charter(importing.entry)
    verb = charter.verb(importing.target)
    _check_target(importing, charter, verb)
    with importing.services.vault(importing.entry) as vault:
        for start in range(skip, len(rows), IMPORT_BATCH):
            batch = rows[start : start + IMPORT_BATCH]
            now = importing.services.clock()

            def work(
                tx: WriteTx, batch: Sequence[Mapping[str, Any]] = batch, first: int = start, now: Moment = now
            ) -> None:
                for number, row in enumerate(batch, first + 1):
                    _import_row(vault, importing, charter, verb, tx, row, number, now)

            vault.write(work, importing.actor, now)
            progress(start + len(batch))
    return max(len(rows) - skip, 0)


def _check_target(importing: Importing, charter: Charter, verb: Verb | None) -> None:
    if verb is None:
        if charter.own_schema is None and charter.resource(importing.target) is None:
            raise NotFound(f"no table or verb {importing.target!r} to import into")
        return
    if not verb.writes:
        raise Invalid(f"{verb.name} only reads; import into a table or a verb that writes")
    if verb.slug is not None:
        raise Invalid(f"{verb.name} gives an address on the platform; call it over HTTP, once for each")
    if verb.allow and not importing.principal.may(*verb.allow):
        raise Forbidden(f"{verb.name} needs one of: {', '.join(verb.allow)}")


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
    try:
        with constraints_translated():
            if verb is not None:
                typed = {name: _typed(value, verb.params.get(name)) for name, value in row.items()}
                verb.run(tx, importing.principal, parse_fields(typed, verb.params), now)
            else:
                _insert_row(vault, importing, charter, tx, row, now)
    except VaultError as exc:
        raise RowRefused(number, exc) from exc


def _insert_row(
    vault: Vault, importing: Importing, charter: Charter, tx: WriteTx, row: Mapping[str, Any], now: Moment
) -> None:
    schema = importing.services.schema(vault, tx)
    resources = {known.table: known for known in charter.resources_at(tx, schema)}
    resource = resources.get(importing.target)
    if resource is None:
        raise NotFound(f"no table or verb {importing.target!r} to import into")
    typed = {name: _typed(value, resource.fields.get(name)) for name, value in row.items()}
    resolved = resolve_references(tx, importing.principal, resources, schema, resource.table, typed, now)
    insert_rows(tx, importing.principal, resource, schema, [resolved], now)


def _typed(value: Any, rule: Field | None) -> Any:
    return from_text(value, rule) if isinstance(value, str) else value
