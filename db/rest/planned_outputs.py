"""Select items to the outputs of one node: columns checked, casts known, spread values put among the parent's.

Knows one table as its caller sees it, and its embeds; no relationship and no SQL.
"""

from collections.abc import Mapping, Sequence

from db.errors import Invalid, NotFound
from db.rest.expressions import CASTS, output_kind
from db.rest.plan import AggregateOutput, ColumnOutput, EmbedPlan, Node, Order, Output, SpreadOutput
from db.rest.planned_filters import visible_column
from db.rest.select import Embed, OrderTerm, Pick, SelectItem, Star
from db.rest.visibility import VisibleTable

__all__ = ["is_aggregate", "need_grouped", "not_embedded", "planned_order", "planned_outputs"]

_NUMERIC_CASTS = frozenset(("integer", "real", "number"))


def planned_outputs(
    table: VisibleTable, select: Sequence[SelectItem], embeds: Mapping[int, EmbedPlan], *, aggregates: bool
) -> dict[str, Output]:
    """The answer's keys in order; a key that comes twice means its last use, as JSON readers take it.

    embeds: by place in the select. aggregates: whether the operator lets them be asked for.
    Raises Invalid PGRST123, 42703, 42704; NotFound 42883.
    """
    outputs: dict[str, Output] = {}
    for place, item in enumerate(select):
        match item:
            case Star():
                outputs |= {c.name: ColumnOutput(c.name, c.kind) for c in table.columns.values()}
            case Pick():
                outputs[item.key] = _picked(table, item, aggregates=aggregates)
            case Embed(spread=True):
                embed = embeds[place]
                outputs |= {key: SpreadOutput(embed, inside) for key, inside in embed.node.outputs.items()}
            case Embed() if item.select:
                outputs[item.key] = embeds[place]
            case Embed():
                pass
    return outputs


def is_aggregate(output: Output) -> bool:
    """Whether the value stands for many rows of the node that answers it."""
    if isinstance(output, SpreadOutput):
        return is_aggregate(output.output)
    return isinstance(output, AggregateOutput)


def planned_order(
    table: VisibleTable, embeds: Mapping[str, EmbedPlan], tables: Mapping[str, VisibleTable], term: OrderTerm
) -> Order:
    """The term with its column checked. tables: those of the embeds.

    Raises Invalid PGRST108 for an embed that is not selected, PGRST118 for one of many rows, 42703.
    """
    embed = None
    if term.embed is not None:
        embed = embeds.get(term.embed)
        if embed is None:
            raise not_embedded(term.embed)
        if embed.relationship.to_many:
            raise Invalid(
                f"A related order on '{term.embed}' is not possible",
                code="PGRST118",
                details=f"'{table.name}' and '{term.embed}' do not form a many-to-one or one-to-one relationship",
            )
        table = tables[embed.node.table]
    column = visible_column(table, term.column, with_path=term.path is not None)
    return Order(ColumnOutput(column.name, column.kind, term.path), term.descending, term.nulls_first, embed)


def not_embedded(name: str) -> Invalid:
    """PGRST108."""
    return Invalid(
        f"'{name}' is not an embedded resource in this request",
        code="PGRST108",
        hint=f"Verify that '{name}' is included in the 'select' query parameter.",
    )


def need_grouped(node: Node) -> None:
    """Refuse an order by what differs within a group. Raises Invalid 42803."""
    for order in node.order if node.aggregated else ():
        wanted: Output = order.value if order.embed is None else SpreadOutput(order.embed, order.value)
        embedded = order.embed.node.outputs.values() if order.embed in node.outputs.values() and order.embed else ()
        if not any(_same_value(wanted, output) for output in node.outputs.values()) and not any(
            _same_value(order.value, output) for output in embedded
        ):
            raise Invalid(
                f'column "{order.value.column}" must appear in the GROUP BY clause or be used in an aggregate function',
                code="42803",
                hint="Select the column to order by it.",
            )


def _same_value(wanted: Output, output: Output) -> bool:
    """Whether an output is the value an order asks for, whatever its cast."""
    if isinstance(wanted, SpreadOutput):
        if not isinstance(output, SpreadOutput) or output.embed is not wanted.embed:
            return False
        return _same_value(wanted.output, output.output)
    if isinstance(wanted, ColumnOutput) and isinstance(output, ColumnOutput):
        return (wanted.column, wanted.path, output.cast) == (output.column, output.path, None)
    return False


def _picked(table: VisibleTable, item: Pick, *, aggregates: bool) -> ColumnOutput | AggregateOutput:
    """One value."""
    if item.column is None or (item.column == "count" and item.aggregate is None and "count" not in table.columns):
        # Written without brackets, `count` is older than aggregates, and no setting turns it off.
        if item.column is None and not aggregates:
            raise _not_allowed()
        return AggregateOutput("count", None, _cast(item.aggregate_cast or item.cast))
    column = visible_column(table, item.column, with_path=item.path is not None)
    value = ColumnOutput(column.name, column.kind, item.path, _cast(item.cast))
    if item.aggregate is None:
        return value
    if not aggregates:
        raise _not_allowed()
    number = value.cast in _NUMERIC_CASTS or (
        value.cast is None and value.path is None and column.affinity in ("INTEGER", "REAL", "NUMERIC")
    )
    kind = output_kind(value)
    if (item.aggregate in ("sum", "avg") and not number) or (
        item.aggregate in ("min", "max") and kind not in ("plain", "real")
    ):
        type_name = {"json": "jsonb", "bytes": "bytea"}.get(kind, "text")
        raise NotFound(
            f"function {item.aggregate}({type_name}) does not exist",
            code="42883",
            hint=f"Cast the value first, such as {item.column}::numeric.{item.aggregate}().",
        )
    return AggregateOutput(item.aggregate, value, _cast(item.aggregate_cast))


def _cast(name: str | None) -> str | None:
    """The kind of value a cast leads to. Raises Invalid 42704 for an unknown type."""
    if name is None:
        return None
    if name not in CASTS:
        raise Invalid(f'type "{name[:40]}" does not exist', code="42704", hint=f"Known are {', '.join(CASTS)}.")
    return CASTS[name]


def _not_allowed() -> Invalid:
    return Invalid("Use of aggregate functions is not allowed", code="PGRST123")
