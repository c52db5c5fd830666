"""A typed plan to one SQL statement: names quoted, every value bound. Knows SQLite; no request, policy or caller."""

from collections.abc import Sequence

from db.json_sql import identifier, json_object_sql
from db.rest.conditions import Conditions, where_sql
from db.rest.expressions import as_json, column_sql, order_sql, output_kind, value_sql
from db.rest.plan import AggregateOutput, ColumnOutput, EmbedPlan, Node, Output, ReadPlan, SpreadOutput
from db.rest.visibility import VisibleTable, cte_sql
from db.transaction import Statement

__all__ = [
    "LIST",
    "Text",
    "keys_condition",
    "ordered_keys",
    "read_statement",
    "state_statement",
    "target_condition",
    "with_clause",
]

# Joined as text: json_group_array would need json(item), which parses each row's JSON again.
LIST = "coalesce('[' || group_concat(item) || ']', '[]')"


def read_statement(plan: ReadPlan) -> Statement:
    """One row: `body` (JSON text of the list, '' for a head), `returned`, `total` or NULL when not wanted, and `whole`.

    whole: the state of the row as JSON where the plan asks for it, else NULL.
    """
    text = Text()
    root = plan.root
    source = text.source(plan)
    rows = text.rows(root, source, head=plan.head, whole=plan.whole)
    whole = "min(whole)" if plan.whole and not plan.head else "NULL"
    body = "''" if plan.head else LIST
    sql = (
        f"{with_clause(plan.tables)} SELECT {body} AS body, count(*) AS returned, "
        f"{text.total(plan, source)} AS total, {whole} AS whole FROM ({rows})"
    )
    return Statement(sql, {**plan.values, **text.values})


def target_condition(plan: ReadPlan, key: Sequence[str]) -> Statement:
    """The condition that a row's key is among those of the plan's rows, for use after `with_clause(plan.tables)`."""
    text = Text()
    names = ", ".join(map(identifier, key))
    sql = f"({names}) IN (SELECT {_key_columns(plan, key)} {text.source(plan)})"
    return Statement(sql, {**plan.values, **text.values})


def ordered_keys(plan: ReadPlan, key: Sequence[str]) -> Statement:
    """The keys of the plan's rows in its order, cut to its page."""
    text = Text()
    root = plan.root
    rows = f"SELECT {_key_columns(plan, key)} {text.source(plan)}{text.order(root)}{text.page(root)}"
    return Statement(f"{with_clause(plan.tables)} {rows}", {**plan.values, **text.values})


def state_statement(plan: ReadPlan) -> Statement:
    """The state of each of the plan's rows, as JSON text in the column `whole`."""
    text = Text()
    rows = f"SELECT {text.whole(plan.root, plan.whole)} AS whole {text.source(plan)}"
    return Statement(f"{with_clause(plan.tables)} {rows}", {**plan.values, **text.values})


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


def _key_columns(plan: ReadPlan, key: Sequence[str]) -> str:
    """The key of the root's rows."""
    return ", ".join(column_sql(plan.root.alias, name) for name in key)


class Text(Conditions):
    """The text of one statement as it grows, with the values bound so far."""

    def __init__(self) -> None:
        super().__init__()
        self.tie = ""  # what breaks ties among the root's rows

    def source(self, plan: ReadPlan) -> str:
        """FROM and WHERE of the root's rows."""
        root = plan.root
        table = f"{identifier(root.table)} AS {root.alias}"
        if plan.keys is None:
            return f"FROM {table}{where_sql(self.conditions(root))}"
        # Rows come back in the order in which they were written.
        self.tie = "given.key"
        columns = enumerate(plan.keys.columns)
        several = len(plan.keys.columns) > 1
        joined = [
            f"{column_sql(root.alias, name)} = "
            + (f"json_extract(given.value, '$[{place}]')" if several else "given.value")
            for place, name in columns
        ]
        source = f"FROM json_each({self.bind(plan.keys.json)}) AS given CROSS JOIN {table}"
        return source + where_sql([*joined, *self.conditions(root)])

    def rows(self, node: Node, source: str, *, head: bool = False, whole: Sequence[ColumnOutput] = ()) -> str:
        """The rows of the node, each as `item`, in order and cut to the page."""
        if node.aggregated:
            from db.rest.grouping import grouped_rows  # here, because few requests aggregate

            return grouped_rows(self, node, source)
        tie, self.tie = self.tie, ""
        row = "1" if head else self.object(node)
        state = f", {self.whole(node, whole)} AS whole" if whole and not head else ""
        return f"SELECT {row} AS item{state} {source}{self.order(node, tie)}{self.page(node)}"

    def total(self, plan: ReadPlan, source: str) -> str:
        """The number of rows without the page, or NULL; counted no further than the plan says."""
        if plan.count is None:
            return "NULL"
        if plan.root.aggregated:
            from db.rest.grouping import groups_sql  # as above

            source = f"FROM ({groups_sql(self, plan.root, source)})"
        if plan.count_limit is None:
            return f"(SELECT count(*) {source})"
        return f"(SELECT count(*) FROM (SELECT 1 {source} LIMIT {self.bind(plan.count_limit)}))"

    def object(self, node: Node) -> str:
        """The JSON object of one row."""
        return json_object_sql([(key, self.output(node, output)) for key, output in node.outputs.items()])

    def whole(self, node: Node, columns: Sequence[ColumnOutput]) -> str:
        """The JSON object of the row's state."""
        return json_object_sql([(column.column, self.output(node, column)) for column in columns])

    def output(self, node: Node, output: Output) -> str:
        """The value of one key, as `json_object` takes it."""
        return as_json(*self.value(node, output))

    def value(self, node: Node, output: Output) -> tuple[str, str]:
        """The value of one key as SQL holds it, and its kind."""
        match output:
            case ColumnOutput():
                return value_sql(node.alias, output, self.bind), output_kind(output)
            case EmbedPlan():
                return self.embedded(node, output), "document"
            case SpreadOutput():
                return self.spread(node, output)
            case AggregateOutput():
                raise AssertionError("an aggregate outside its group")

    def embedded(self, parent: Node, embed: EmbedPlan) -> str:
        """The related rows: a list, or one object or null."""
        rows = self.rows(embed.node, self.related(parent, embed))
        if not embed.relationship.to_many:
            return f"(SELECT item FROM ({rows}) LIMIT 1)" if embed.node.aggregated else self.first(parent, embed)
        return f"(SELECT {LIST} FROM ({rows}))"

    def first(self, parent: Node, embed: EmbedPlan) -> str:
        """The object of the one related row, or NULL."""
        return f"(SELECT {self.object(embed.node)} {self.related(parent, embed)} LIMIT 1)"

    def spread(self, parent: Node, spread: SpreadOutput) -> tuple[str, str]:
        """A value of the one related row, or the list of it over the related rows; and its kind."""
        embed = spread.embed
        sql, kind = self.value(embed.node, spread.output)
        item, related = as_json(sql, kind), self.related(parent, embed)
        if not embed.relationship.to_many:
            in_json = kind in ("json", "document", "flag")
            return f"(SELECT {sql if kind == 'real' else item} {related} LIMIT 1)", (
                "document" if in_json else "real" if kind == "real" else "plain"
            )
        rows = f"SELECT json_quote({item}) AS item {related}{self.order(embed.node)}{self.page(embed.node)}"
        return f"(SELECT {LIST} FROM ({rows}))", "document"

    def order(self, node: Node, tie: str = "") -> str:
        """ORDER BY with nulls where Postgres puts them; paged rows get their key as the last word, or the tie."""
        terms: list[str] = []
        for order in node.order:
            direction = f"{'DESC' if order.descending else 'ASC'} NULLS {'FIRST' if order.nulls_first else 'LAST'}"
            terms += [f"{value} {direction}" for value in self.order_values(node, order.value, order.embed)]
        terms += [tie] if tie else [column_sql(node.alias, name) for name in node.key]
        return f" ORDER BY {', '.join(terms)}" if terms else ""

    def order_values(self, node: Node, value: ColumnOutput, embed: EmbedPlan | None) -> list[str]:
        """What to order by for one term; for an embed's column, that of the one related row."""
        if embed is None:
            return order_sql(node.alias, value, self.bind)
        related = self.related(node, embed)
        return [f"(SELECT {part} {related} LIMIT 1)" for part in order_sql(embed.node.alias, value, self.bind)]

    def page(self, node: Node) -> str:
        """LIMIT and OFFSET, always there: a subquery with a limit keeps its order."""
        limit = -1 if node.limit is None else node.limit
        return f" LIMIT {self.bind(limit)} OFFSET {self.bind(node.offset)}"
