"""Aggregates to SQL: rows come with every value they are grouped by, then are folded. Knows SQLite; no request.

A value of a spread embed counts as one of the row it is spread into. Over a to-many embed an aggregate is folded twice:
over the related rows of each row, then over the rows of the group.
"""

from dataclasses import dataclass, field

from db.json_sql import json_object_sql
from db.rest.expressions import aggregate_kind, as_json, cast_sql, value_sql
from db.rest.plan import AggregateOutput, Node, Output, SpreadOutput
from db.rest.planned_outputs import is_aggregate
from db.rest.sql import Text

__all__ = ["grouped_rows", "groups_sql"]

# How folded values of many groups fold again.
_AGAIN = {"count": "sum", "sum": "sum", "total": "total", "min": "min", "max": "max"}


@dataclass(slots=True)
class _Rows:
    """The inner rows: expressions by column, and which of the columns make up the group."""

    columns: list[str] = field(default_factory=list[str])
    grouped: list[str] = field(default_factory=list[str])

    def add(self, sql: str, *, grouped: bool) -> str:
        """A new column; its name."""
        name = f"c{len(self.columns)}"
        self.columns.append(f"{sql} AS {name}")
        if grouped:
            self.grouped.append(name)
        return name

    def sql(self, source: str) -> str:
        """FROM the inner rows, and the GROUP BY."""
        group = f" GROUP BY {', '.join(self.grouped)}" if self.grouped else ""
        return f"FROM (SELECT {', '.join(self.columns) or '1'} {source}){group}"


def grouped_rows(text: Text, node: Node, source: str) -> str:
    """The groups of an aggregated node, each as `item`, in order and cut to the page."""
    rows = _Rows()
    pairs = [(key, _output(text, node, output, rows)) for key, output in node.outputs.items()]
    terms = _order(text, node, rows)
    order = f" ORDER BY {', '.join(terms)}" if terms else ""
    return f"SELECT {json_object_sql(pairs)} AS item {rows.sql(source)}{order}{text.page(node)}"


def groups_sql(text: Text, node: Node, source: str) -> str:
    """One row for each group, for counting them."""
    rows = _Rows()
    for output in node.outputs.values():
        if not is_aggregate(output):
            rows.add(text.value(node, output)[0], grouped=True)
    # Without a group there is one row, which only an aggregate makes.
    return f"SELECT count(*) {rows.sql(source)}"


def _output(text: Text, node: Node, output: Output, rows: _Rows) -> str:
    """The value of one key of a group."""
    if not is_aggregate(output):
        sql, kind = text.value(node, output)
        return as_json(rows.add(sql, grouped=True), kind)
    folds = [f"{fold}({rows.add(sql, grouped=False)})" for fold, sql in _folds(text, node, output)]
    aggregate = _innermost(output)
    if aggregate.function == "avg":
        value = f"({folds[0]} / {folds[1]})"
    else:
        value = f"coalesce({folds[0]}, 0)" if aggregate.function == "count" else folds[0]
    kind = aggregate_kind(aggregate.function, aggregate.source, aggregate.cast)
    return as_json(cast_sql(value, "plain", aggregate.cast) if aggregate.cast else value, kind)


def _folds(text: Text, node: Node, output: Output) -> list[tuple[str, str]]:
    """The SQL aggregates that make up one of ours, each with what it folds in a row of the node."""
    if isinstance(output, SpreadOutput):
        embed = output.embed
        inside = _folds(text, embed.node, output.output)
        related = text.related(node, embed)
        if not embed.relationship.to_many:
            return [(fold, f"(SELECT {sql} {related} LIMIT 1)") for fold, sql in inside]
        page = text.order(embed.node) + text.page(embed.node)
        return [(_AGAIN[fold], f"(SELECT {fold}(x) FROM (SELECT {sql} AS x {related}{page}))") for fold, sql in inside]
    assert isinstance(output, AggregateOutput)
    sql = value_sql(node.alias, output.source, text.bind) if output.source else "1"
    if output.function == "avg":
        return [("total", sql), ("count", sql)]
    return [(output.function, sql)]


def _innermost(output: Output) -> AggregateOutput:
    """The aggregate behind the spreads."""
    while isinstance(output, SpreadOutput):
        output = output.output
    assert isinstance(output, AggregateOutput)
    return output


def _order(text: Text, node: Node, rows: _Rows) -> list[str]:
    """The terms of ORDER BY; groups that agree in them follow their other values, so that pages do not overlap."""
    rest = list(rows.grouped)
    terms: list[str] = []
    for order in node.order:
        direction = f"{'DESC' if order.descending else 'ASC'} NULLS {'FIRST' if order.nulls_first else 'LAST'}"
        # Equal within each group, so that grouping by them as well changes nothing.
        values = [rows.add(sql, grouped=True) for sql in text.order_values(node, order.value, order.embed)]
        terms += [f"{value} {direction}" for value in values]
    return [*terms, *rest]
