"""What one caller may see of a table: the CTE that takes the table's name. Knows policies; not requests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from db.clock import Moment
from db.errors import Invalid
from db.fields import JsonObject, ListOf
from db.json_sql import identifier, literal
from db.principal import Principal
from db.resources import Policy, Resource, SearchIndex
from db.schema.schema import Column, Table, is_timeless
from db.transaction import SqlValue

__all__ = [
    "VisibleColumn",
    "VisibleTable",
    "allowed_sql",
    "cte_sql",
    "is_open",
    "keeps_time_out",
    "missing_column",
    "policy_values",
    "undefined_column",
    "visible_table",
]


class VisibleColumn(NamedTuple):
    """A column as this caller reads it. sql: an expression over the table's own columns.

    affinity: how to type a value it is compared with. SQLite knows it for a plain column only, not behind CASE.
    kind: how it is answered: plain, bytes (as hex, since JSON holds no bytes), real, flag, json or document.
    """

    name: str
    affinity: str
    sql: str
    kind: str = "plain"


@dataclass(frozen=True, slots=True)
class VisibleTable:
    """A table as this caller reads it. where: the rows, over the table's own columns. key: its visible primary key.

    search: the full-text index of a column. source: what the rows come from instead of the table itself, or ''.
    related_as: the table whose relationships the rows have, '' for this one.
    """

    name: str
    columns: Mapping[str, VisibleColumn]
    where: str
    key: tuple[str, ...]
    search: Mapping[str, SearchIndex] = field(default_factory=dict[str, SearchIndex])
    source: str = ""
    related_as: str = ""


def is_open(policies: Sequence[Policy], principal: Principal) -> bool:
    """Whether any of the policies may apply to the caller."""
    return any(policy.open_to(principal) for policy in policies)


def keeps_time_out(resource: Resource) -> bool:
    """Whether who sees what of the table does not depend on the time of day."""
    known = _TIMELESS.get(id(resource))
    if known is None:
        policies = (*resource.read, *(policy for listed in resource.masks.values() for policy in listed))
        known = _TIMELESS[id(resource)] = (resource, all(is_timeless(policy.where) for policy in policies))
        if len(_TIMELESS) > _OPEN_TABLES:
            _TIMELESS.clear()
    return known[1]


def allowed_sql(policies: Sequence[Policy], principal: Principal) -> str:
    """The condition that some policy open to the caller holds; `0` when none is open."""
    texts = [policy.where for policy in policies if policy.open_to(principal)]
    return " OR ".join(f"({text})" for text in dict.fromkeys(texts)) or "0"


def policy_values(principal: Principal, now: Moment) -> dict[str, SqlValue]:
    """Values of the names a policy may use: scope, principal_id, now."""
    return {"scope": principal.scope, "principal_id": principal.id, "now": now.text}


def visible_table(table: Table, resource: Resource, principal: Principal) -> VisibleTable:
    """The table with the caller's rows, masks applied, personal columns opened and hidden ones left out."""
    columns = _open_columns(table, resource)
    if resource.masks:
        columns = {
            name: _masked(column, resource.masks[name], principal) if name in resource.masks else column
            for name, column in columns.items()
        }
    key = table.primary_key if all(name in columns for name in table.primary_key) else ()
    return VisibleTable(table.name, columns, allowed_sql(resource.read, principal), key, resource.search)


def cte_sql(table: VisibleTable) -> str:
    """The common table expression that stands in for the table.

    NOT MATERIALIZED, so that the planner merges it into its users and keeps the indexes of the table.
    """
    columns = ", ".join(
        column.sql if column.sql == identifier(column.name) else f"{column.sql} AS {identifier(column.name)}"
        for column in table.columns.values()
    )
    name = identifier(table.name)
    return f"{name} AS NOT MATERIALIZED (SELECT {columns} FROM {table.source or f'main.{name}'} WHERE {table.where})"


def undefined_column(table: str, known: Iterable[str], name: str) -> Invalid:
    """42703: what a read names and the caller cannot see, with the column it may have meant."""
    import difflib  # here, because only a mistake needs it

    near = difflib.get_close_matches(name, list(known), 1)
    hint = f'Perhaps you meant to reference the column "{table}.{near[0]}".' if near else None
    return Invalid(f"column {table}.{name} does not exist", code="42703", field=name, hint=hint)


def missing_column(table: str, name: str) -> Invalid:
    """PGRST204: what a write names and no client can see; a hidden column is as one that is absent."""
    message = f"Could not find the '{name}' column of '{table}' in the schema cache"
    return Invalid(message, code="PGRST204", field=name)


# What a table and its declaration come to is the same for every caller. Kept with both, so that neither id is reused.
_Open = tuple[Table, Resource, dict[str, VisibleColumn]]
_OPEN: dict[tuple[int, int], _Open] = {}
_OPEN_TABLES = 1_000
_TIMELESS: dict[int, tuple[Resource, bool]] = {}


def _open_columns(table: Table, resource: Resource) -> dict[str, VisibleColumn]:
    """The columns that are not hidden, before masks."""
    known = _OPEN.get((id(table), id(resource)))
    if known is not None:
        return known[2]
    columns = {c.name: _visible_column(c, resource) for c in table.columns if c.name not in resource.hidden}
    if len(_OPEN) >= _OPEN_TABLES:
        _OPEN.clear()
    _OPEN[id(table), id(resource)] = (table, resource, columns)
    return columns


def _masked(column: VisibleColumn, policies: Sequence[Policy], principal: Principal) -> VisibleColumn:
    """The column, null where no policy of its mask holds."""
    sql = f"CASE WHEN {allowed_sql(policies, principal)} THEN {column.sql} END"
    return VisibleColumn(column.name, column.affinity, sql, column.kind)


def _visible_column(column: Column, resource: Resource) -> VisibleColumn:
    """The column with its seal opened."""
    sql = identifier(column.name)
    affinity = column.affinity
    if column.name in resource.personal:
        sql = f"personal_open({literal(f'{resource.table}.{column.name}')}, {sql})"
        affinity = "TEXT"
    return VisibleColumn(column.name, affinity, sql, _kind(column.name, affinity, resource))


def _kind(name: str, affinity: str, resource: Resource) -> str:
    """How the column is answered."""
    if name in resource.json or isinstance(resource.fields.get(name), _JSON_FIELDS):
        return "json"
    return _KINDS.get(affinity, "plain")


_JSON_FIELDS = (ListOf, JsonObject)
_KINDS = {"BLOB": "bytes", "REAL": "real", "NUMERIC": "real"}
