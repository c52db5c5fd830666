"""A typed request to a typed plan: names against schema and declarations, values against types, embeds to keys.

Knows what one caller may see; runs nothing and writes no SQL but the policies'.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from db.clock import Moment
from db.errors import Invalid, NotFound
from db.principal import Principal
from db.resources import Resource
from db.rest.filters import Condition, Filter
from db.rest.plan import ColumnOutput, Combination, Comparison, EmbedPlan, Node, PlannedFilter, Presence, ReadPlan
from db.rest.query import Path, Restriction
from db.rest.relations import find_relationship
from db.rest.request import ReadRequest
from db.rest.select import Embed, OrderTerm, Pick, SelectItem, Star
from db.rest.values import glob_pattern, typed_value
from db.rest.visibility import VisibleColumn, VisibleTable, missing_column, policy_values, visible_table
from db.schema import Schema, Table
from db.transaction import SqlValue

__all__ = ["Resources", "find_resource", "plan_read"]

Resources = Mapping[str, Resource]
"""The declarations by table name."""


def find_resource(schema: Schema, resources: Resources, name: str) -> tuple[Table, Resource]:
    """The table and its declaration. Raises NotFound PGRST205 when REST does not reach such a table."""
    table, resource = schema.tables.get(name), resources.get(name)
    if table is None or resource is None:
        raise NotFound(f"Could not find the table 'public.{name}' in the schema cache", code="PGRST205")
    return table, resource


def plan_read(
    schema: Schema, resources: Resources, principal: Principal, request: ReadRequest, now: Moment
) -> ReadPlan:
    """The plan. Raises NotFound PGRST205; Invalid PGRST108, PGRST120, PGRST200, PGRST201, PGRST204, 22P02."""
    planning = _Planning(schema, resources, principal, request.restrictions)
    root = planning.node(request.table, request.select, ())
    planning.check_paths()
    return ReadPlan(
        root,
        tuple(planning.tables.values()),
        policy_values(principal, now),
        request.preferences.count,
        request.head,
    )


@dataclass(slots=True)
class _Planning:
    """The work on one request: which tables were touched, which restrictions found their embed."""

    schema: Schema
    resources: Resources
    principal: Principal
    restrictions: Mapping[Path, Restriction]
    tables: dict[str, VisibleTable] = field(default_factory=dict[str, VisibleTable])
    used: set[Path] = field(default_factory=lambda: {()})
    aliases: int = 0

    def node(self, table: str, select: Sequence[SelectItem], path: Path) -> Node:
        """One table with what is selected and restricted there."""
        visible = self.see(table)
        alias = f"t{self.aliases}"
        self.aliases += 1
        embeds = {
            item.key: (item, self.embed(table, item, self.path_of(path, item, select)))
            for item in select
            if isinstance(item, Embed)
        }
        here = self.restrictions.get(path, Restriction())
        targets = {item.target: plan for item, plan in reversed(embeds.values())}
        known = targets | {key: plan for key, (_, plan) in embeds.items()}
        paged = here.limit is not None or here.offset > 0
        return Node(
            table,
            alias,
            _outputs(visible, select, {key: plan for key, (item, plan) in embeds.items() if item.select}),
            tuple(plan for item, plan in embeds.values() if item.inner),
            tuple(_filter(visible, known, tree) for tree in here.filters),
            tuple(_order(visible, term) for term in here.order),
            here.limit,
            here.offset,
            visible.key if paged else (),
        )

    def embed(self, origin: str, item: Embed, path: Path) -> EmbedPlan:
        """The related rows that an item asks for."""
        relationship = find_relationship(self.schema, self.resources, origin, item.target, item.hint)
        if relationship.junction:
            self.see(relationship.junction.table)
        return EmbedPlan(self.node(relationship.target, item.select, path), relationship)

    def see(self, name: str) -> VisibleTable:
        """The table as the caller sees it."""
        if name not in self.tables:
            self.tables[name] = visible_table(*find_resource(self.schema, self.resources, name), self.principal)
        return self.tables[name]

    def path_of(self, path: Path, item: Embed, select: Sequence[SelectItem]) -> Path:
        """The path under which the embed is restricted: its key, or its table's name where no other embed has that."""
        keys = {other.key for other in select if isinstance(other, Embed)}
        by_target = (*path, item.target)
        free = item.target not in keys and by_target not in self.used
        chosen = (
            by_target
            if free and any(p[: len(by_target)] == by_target for p in self.restrictions)
            else (
                *path,
                item.key,
            )
        )
        self.used.add(chosen)
        return chosen

    def check_paths(self) -> None:
        """Refuse a restriction whose embed is not selected. Raises Invalid PGRST108."""
        for path in self.restrictions:
            if path not in self.used:
                name = ".".join(path)
                raise Invalid(
                    f"'{name}' is not an embedded resource in this request",
                    code="PGRST108",
                    hint=f"Verify that '{name}' is included in the 'select' query parameter.",
                )


def _column(table: VisibleTable, name: str) -> VisibleColumn:
    """The column. Raises Invalid PGRST204 for one that is absent or hidden."""
    column = table.columns.get(name)
    if column is None:
        raise missing_column(table.name, name)
    return column


def _outputs(
    table: VisibleTable, select: Sequence[SelectItem], embeds: Mapping[str, EmbedPlan]
) -> dict[str, ColumnOutput | EmbedPlan]:
    """The answer's keys in order; a key that comes twice means its last use, as JSON readers take it."""
    outputs: dict[str, ColumnOutput | EmbedPlan] = {}
    for item in select:
        match item:
            case Star():
                outputs |= {c.name: ColumnOutput(c.name, c.affinity == "BLOB") for c in table.columns.values()}
            case Pick():
                column = _column(table, item.column)
                outputs[item.alias or item.column] = ColumnOutput(column.name, column.affinity == "BLOB")
            case Embed() if item.key in embeds:
                outputs[item.key] = embeds[item.key]
            case Embed():
                pass
    return outputs


def _order(table: VisibleTable, term: OrderTerm) -> OrderTerm:
    """The term, its column checked."""
    _column(table, term.column)
    return term


def _filter(table: VisibleTable, embeds: Mapping[str, EmbedPlan], tree: Filter) -> PlannedFilter:
    """The tree with columns checked and values typed."""
    if not isinstance(tree, Condition):
        return Combination(
            tree.operator, tuple(_filter(table, embeds, member) for member in tree.members), tree.negated
        )
    if tree.column in embeds:
        return _presence(embeds[tree.column], tree)
    column = _column(table, tree.column)
    return Comparison(column.name, tree.operator, _operand(column, tree), tree.negated)


def _presence(embed: EmbedPlan, condition: Condition) -> Presence:
    """`embed=is.null` or `embed=not.is.null`."""
    if condition.operator != "is" or condition.value not in ("null", "not_null"):
        raise Invalid(
            f"Bad operator on the '{condition.column}' embedded resource",
            code="PGRST120",
            details="Only is null or not null filters are allowed on embedded resources",
        )
    return Presence(embed, condition.negated != (condition.value == "null"))


def _operand(column: VisibleColumn, condition: Condition) -> SqlValue | tuple[SqlValue, ...]:
    """The value in the form its operator needs."""
    value = condition.value
    if isinstance(value, tuple):
        return tuple(typed_value(text, column.affinity) for text in value)
    match condition.operator:
        case "like":
            return glob_pattern(value)
        case "ilike":
            return glob_pattern(value.casefold())
        case "is" if value in ("true", "false") and column.affinity == "TEXT":
            message = f"{column.name}: is.{value} wants a column of true and false, got text"
            raise Invalid(message, code="42804", field=column.name)
        case "is":
            return value
        case _:
            return typed_value(value, column.affinity)
