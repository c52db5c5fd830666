"""A typed plan to one SQL statement: names quoted, every value bound. Knows SQLite; no request, policy or caller."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from db.json_sql import identifier, json_object_sql
from db.rest.plan import ColumnOutput, Combination, Comparison, EmbedPlan, KeyList, Node, PlannedFilter, ReadPlan
from db.rest.visibility import VisibleTable, cte_sql
from db.transaction import SqlValue, Statement

__all__ = ["keys_condition", "read_statement", "target_condition", "with_clause"]

_COMPARISONS = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "isdistinct": "IS NOT",
    "like": "GLOB",
}
_IS = {"null": "IS NULL", "unknown": "IS NULL", "not_null": "IS NOT NULL", "true": "IS TRUE", "false": "IS FALSE"}


def read_statement(plan: ReadPlan) -> Statement:
    """One row: `body` (JSON text of the list, '' for a head), `returned`, and `total` or NULL when not wanted."""
    text = _Text()
    root = plan.root
    conditions = text.conditions(root)
    if plan.keys:
        conditions.append(text.keys(root.alias, plan.keys))
    where = _where(conditions)
    source = f"FROM {identifier(root.table)} AS {root.alias}{where}"
    row = "1" if plan.head else text.object(root)
    body = "''" if plan.head else _LIST
    total = f"(SELECT count(*) {source})" if plan.count else "NULL"
    sql = (
        f"{with_clause(plan.tables)} SELECT {body} AS body, count(*) AS returned, {total} AS total "
        f"FROM (SELECT {row} AS item {source}{text.order(root)}{text.page(root)})"
    )
    return Statement(sql, {**plan.values, **text.values})


def target_condition(plan: ReadPlan, key: Sequence[str]) -> Statement:
    """The condition that a row's key is among those of the plan's rows, for use after `with_clause(plan.tables)`."""
    text = _Text()
    root = plan.root
    names = ", ".join(map(identifier, key))
    chosen = ", ".join(f"{root.alias}.{identifier(name)}" for name in key)
    where = _where(text.conditions(root))
    sql = f"({names}) IN (SELECT {chosen} FROM {identifier(root.table)} AS {root.alias}{where})"
    return Statement(sql, {**plan.values, **text.values})


def with_clause(tables: Sequence[VisibleTable]) -> str:
    """`WITH` and what stands in for each table."""
    return "WITH " + ", ".join(cte_sql(table) for table in tables)


def keys_condition(columns: Sequence[str], parameter: str, prefix: str = "") -> str:
    """The condition that the key is in the JSON list bound to the parameter (of lists, for several columns)."""
    named = ", ".join(prefix + identifier(name) for name in columns)
    if len(columns) == 1:
        return f"{named} IN (SELECT value FROM json_each(:{parameter}))"
    parts = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(len(columns)))
    return f"({named}) IN (SELECT {parts} FROM json_each(:{parameter}))"


# Joined as text: json_group_array would need json(item), which parses each row's JSON again.
_LIST = "coalesce('[' || group_concat(item) || ']', '[]')"


def _where(conditions: Sequence[str]) -> str:
    """The WHERE clause, or nothing."""
    return " WHERE " + " AND ".join(conditions) if conditions else ""


@dataclass(slots=True)
class _Text:
    """The text of one statement as it grows, with the values bound so far."""

    values: dict[str, SqlValue] = field(default_factory=dict[str, SqlValue])

    def bind(self, value: SqlValue) -> str:
        """A new parameter for the value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def object(self, node: Node) -> str:
        """The JSON object of one row."""
        return json_object_sql([(key, self.output(node, output)) for key, output in node.outputs.items()])

    def output(self, node: Node, output: ColumnOutput | EmbedPlan) -> str:
        """The value of one key."""
        if isinstance(output, EmbedPlan):
            return self.embedded(node, output)
        column = f"{node.alias}.{identifier(output.column)}"
        return f"CASE WHEN {column} IS NOT NULL THEN '\\x' || lower(hex({column})) END" if output.is_bytes else column

    def embedded(self, parent: Node, embed: EmbedPlan) -> str:
        """The related rows: a list, or one object or null. The json() puts back the subtype a subquery loses."""
        node = embed.node
        source = self.related(parent, embed)
        if not embed.relationship.to_many:
            return f"json((SELECT {self.object(node)} {source} LIMIT 1))"
        rows = f"SELECT {self.object(node)} AS item {source}{self.order(node)}{self.page(node)}"
        return f"json((SELECT {_LIST} FROM ({rows})))"

    def related(self, parent: Node, embed: EmbedPlan) -> str:
        """FROM and WHERE of the related rows of the parent's row."""
        node, relationship = embed.node, embed.relationship
        source = f"FROM {identifier(node.table)} AS {node.alias}"
        near = node.alias
        if relationship.junction:
            near = f"{node.alias}j"
            on = _equal(near, node.alias, relationship.junction.pairs)
            source += f" JOIN {identifier(relationship.junction.table)} AS {near} ON {on}"
        joined = _equal(parent.alias, near, relationship.pairs)
        return source + _where([joined, *self.conditions(node)])

    def conditions(self, node: Node) -> list[str]:
        """Every condition on the rows of a node, those of its inner embeds included."""
        return [
            *(self.condition(node, tree) for tree in node.filters),
            *(f"EXISTS (SELECT 1 {self.related(node, embed)})" for embed in node.inner),
        ]

    def condition(self, node: Node, tree: PlannedFilter) -> str:
        """One filter."""
        match tree:
            case Combination():
                joined = f" {tree.operator.upper()} ".join(self.condition(node, member) for member in tree.members)
                sql = f"({joined})"
            case Comparison():
                sql = self.comparison(f"{node.alias}.{identifier(tree.column)}", tree)
            case _:
                sql = f"EXISTS (SELECT 1 {self.related(node, tree.embed)})"
        return f"NOT ({sql})" if tree.negated else sql

    def comparison(self, column: str, test: Comparison) -> str:
        """One test of a column."""
        value = test.value
        if isinstance(value, tuple):
            return f"{column} IN ({', '.join(map(self.bind, value))})"
        if test.operator == "is":
            return f"{column} {_IS[str(value)]}"
        if test.operator == "ilike":
            return f"casefold({column}) GLOB {self.bind(value)}"
        return f"{column} {_COMPARISONS[test.operator]} {self.bind(value)}"

    def keys(self, alias: str, keys: KeyList) -> str:
        """The condition that the row is one of these."""
        return keys_condition(keys.columns, self.bind(keys.json)[1:], f"{alias}.")

    def order(self, node: Node) -> str:
        """ORDER BY with nulls where Postgres puts them; paged rows get their key as the last word."""
        terms = [
            f"{node.alias}.{identifier(term.column)} {'DESC' if term.descending else 'ASC'}"
            f" NULLS {'FIRST' if term.nulls_first else 'LAST'}"
            for term in node.order
        ]
        terms += [f"{node.alias}.{identifier(name)}" for name in node.key]
        return f" ORDER BY {', '.join(terms)}" if terms else ""

    def page(self, node: Node) -> str:
        """LIMIT and OFFSET, always there: a subquery with a limit keeps its order."""
        limit = -1 if node.limit is None else node.limit
        return f" LIMIT {self.bind(limit)} OFFSET {self.bind(node.offset)}"


def _equal(left: str, right: str, pairs: Sequence[tuple[str, str]]) -> str:
    """The join condition: each pair is (column of the left, column of the right)."""
    return " AND ".join(f"{left}.{identifier(a)} = {right}.{identifier(b)}" for a, b in pairs)
