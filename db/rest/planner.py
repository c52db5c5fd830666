"""A typed request to a typed plan: names against schema and declarations, embeds to keys.

Knows what one caller may see; runs nothing and writes no SQL but the policies'.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from db.clock import Moment
from db.errors import NotFound
from db.principal import Principal
from db.resources import Resource
from db.rest.limits import LIMITS, Limits
from db.rest.plan import ColumnOutput, EmbedPlan, Node, ReadPlan
from db.rest.planned_filters import planned_filter
from db.rest.planned_outputs import is_aggregate, need_grouped, not_embedded, planned_order, planned_outputs
from db.rest.query import Path, Restriction
from db.rest.relations import find_relationship
from db.rest.request import ReadRequest
from db.rest.select import Embed, SelectItem
from db.rest.visibility import VisibleTable, policy_values, visible_table
from db.schema.schema import Schema, Table

__all__ = ["Resources", "find_resource", "plan_read", "plan_rows", "whole_row"]

Resources = Mapping[str, Resource]
"""The declarations by table name."""


def find_resource(schema: Schema, resources: Resources, name: str) -> tuple[Table, Resource]:
    """The table and its declaration. Raises NotFound PGRST205 when REST does not reach such a table."""
    table, resource = schema.tables.get(name), resources.get(name)
    if table is None or resource is None:
        import difflib  # here, because only a mistake needs it

        near = difflib.get_close_matches(name, [known for known in resources if known in schema.tables], 1)
        raise NotFound(
            f"Could not find the table 'public.{name}' in the schema cache",
            code="PGRST205",
            hint=f"Perhaps you meant the table 'public.{near[0]}'" if near else None,
        )
    return table, resource


def plan_read(
    schema: Schema,
    resources: Resources,
    principal: Principal,
    request: ReadRequest,
    now: Moment,
    limits: Limits = LIMITS,
) -> ReadPlan:
    """The plan.

    Raises NotFound PGRST205, 42883; Invalid PGRST108, PGRST118, PGRST120, PGRST123, PGRST200, PGRST201, 42703,
    22P02 and the like.
    """
    planning = _Planning(schema, resources, principal, request.restrictions, limits)
    plan = planning.plan(request, planning.see(request.table))
    return replace(plan, values=policy_values(principal, now))


def plan_rows(
    table: VisibleTable,
    request: ReadRequest,
    limits: Limits,
    schema: Schema,
    resources: Resources,
    principal: Principal | None,
) -> ReadPlan:
    """The plan of a read of rows that are no table's, such as a verb's result, without the values of the policies.

    Embeds find the relationships of `table.related_as`. principal: None where there are no resources.
    """
    return _Planning(schema, resources, principal, request.restrictions, limits).plan(request, table)


def whole_row(table: VisibleTable) -> tuple[ColumnOutput, ...]:
    """Every visible column, which together are the state of a row."""
    return tuple(ColumnOutput(column.name, column.kind) for column in table.columns.values())


@dataclass(slots=True)
class _Planning:
    """The work on one request: which tables were touched, which restrictions found their embed."""

    schema: Schema
    resources: Resources
    principal: Principal | None
    restrictions: Mapping[Path, Restriction]
    limits: Limits
    tables: dict[str, VisibleTable] = field(default_factory=dict[str, VisibleTable])
    used: set[Path] = field(default_factory=lambda: {()})
    warnings: list[str] = field(default_factory=list[str])
    aliases: int = 0

    def plan(self, request: ReadRequest, table: VisibleTable) -> ReadPlan:
        """The plan, without the values of the policies."""
        self.tables[table.name] = table
        root = self.node(table, request.select, ())
        for path in self.restrictions:
            if path not in self.used:
                raise not_embedded(".".join(path))
        return ReadPlan(
            root,
            tuple(self.tables.values()),
            {},
            request.preferences.count,
            request.head,
            whole=whole_row(table) if request.singular and not root.aggregated else (),
            warnings=tuple(self.warnings),
        )

    def node(self, table: VisibleTable, select: Sequence[SelectItem], path: Path) -> Node:
        """One table with what is selected and restricted there."""
        alias = f"t{self.aliases}"
        self.aliases += 1
        here = self.restrictions.get(path, Restriction())
        items = {place: item for place, item in enumerate(select) if isinstance(item, Embed)}
        origin = table.related_as or table.name
        embeds = {place: self.embed(origin, item, path, items) for place, item in items.items()}
        known = {items[place].target: embed for place, embed in reversed(embeds.items())}
        known |= {items[place].key: embed for place, embed in embeds.items()}
        outputs = planned_outputs(table, select, embeds, aggregates=self.limits.aggregates)
        aggregated = any(map(is_aggregate, outputs.values()))
        paged = (here.limit is not None or here.offset > 0) and not aggregated
        node = Node(
            table.name,
            alias,
            outputs,
            tuple(embeds[place] for place, item in items.items() if item.inner),
            tuple(planned_filter(table, known, tree, self.limits) for tree in here.filters),
            tuple(planned_order(table, known, self.tables, term) for term in here.order),
            here.limit,
            here.offset,
            table.key if paged else (),
            aggregated,
        )
        need_grouped(node)
        return node

    def embed(self, origin: str, item: Embed, path: Path, items: Mapping[int, Embed]) -> EmbedPlan:
        """The related rows that an item asks for."""
        relationship = find_relationship(self.schema, self.resources, origin, item.target, item.hint)
        if relationship.junction:
            self.see(relationship.junction.table)
        target = self.see(relationship.target)
        node = self.node(target, item.select, self.path_of(path, item, items))
        if item.spread and relationship.to_many and not node.key and not node.aggregated:
            # Each value is a list of its own: they must agree on the order.
            node = replace(node, key=target.key)
        return EmbedPlan(node, relationship)

    def see(self, name: str) -> VisibleTable:
        """The table as the caller sees it."""
        if name not in self.tables:
            assert self.principal is not None
            self.tables[name] = visible_table(*find_resource(self.schema, self.resources, name), self.principal)
        return self.tables[name]

    def path_of(self, path: Path, item: Embed, items: Mapping[int, Embed]) -> Path:
        """The path under which the embed is restricted: its key, or its table's name where no other embed has that."""
        keys = {other.key for other in items.values()}
        by_key, by_target = (*path, item.key), (*path, item.target)
        free = item.target not in keys and by_target not in self.used
        named = free and any(p[: len(by_target)] == by_target for p in self.restrictions)
        if named:
            self.warnings.append(f"'{item.target}' has the alias '{item.key}': filter by the alias")
        chosen = by_target if named else by_key
        self.used.add(chosen)
        return chosen
