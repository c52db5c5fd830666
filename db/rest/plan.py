"""Typed plans: what the SQL of one read is made of, every name checked and every value typed. Data only.

Named tuples where a dataclass would be made: these modules are imported at every cold start, and making a frozen
dataclass takes six times as long.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from db.resources import SearchIndex
from db.rest.places import JsonPath
from db.rest.relations import Relationship
from db.rest.visibility import VisibleTable
from db.transaction import SqlValue

__all__ = [
    "AggregateOutput",
    "ColumnOutput",
    "Combination",
    "Comparison",
    "EmbedPlan",
    "FunctionTest",
    "KeyList",
    "Node",
    "Order",
    "Output",
    "PlannedFilter",
    "Presence",
    "ReadPlan",
    "SearchTest",
    "SpreadOutput",
]


class ColumnOutput(NamedTuple):
    """A column in the answer, or a place in the JSON it holds. kind: as of the column. cast: one of CASTS."""

    column: str
    kind: str
    path: JsonPath | None = None
    cast: str | None = None


class AggregateOutput(NamedTuple):
    """One value for many rows. function: count, sum, avg, min or max. source: None counts rows."""

    function: str
    source: ColumnOutput | None
    cast: str | None


class SpreadOutput(NamedTuple):
    """A value of an embed's rows that stands among those of the parent: itself, or the list of them for many rows."""

    embed: "EmbedPlan"
    output: "Output"


class Comparison(NamedTuple):
    """One test of a column. value: typed; for `in` a tuple, for `is` a word, for `like` and `ilike` a GLOB pattern."""

    column: str
    operator: str
    value: SqlValue | tuple[SqlValue, ...]
    negated: bool
    path: JsonPath | None = None


class FunctionTest(NamedTuple):
    """A test by one of the engine's own SQL functions, called as function(*words, column, value)."""

    function: str
    words: tuple[str, ...]
    column: str
    value: str
    negated: bool
    path: JsonPath | None = None


class SearchTest(NamedTuple):
    """A full-text search. fts: its index. key: how the row is known. match: FTS5's words for it.

    A row whose column the caller cannot see is not found, whatever the index says.
    """

    column: str
    fts: SearchIndex
    key: tuple[str, ...]
    match: str
    negated: bool = False


class Combination(NamedTuple):
    """Tests joined by `and` or `or`."""

    operator: str
    members: tuple["PlannedFilter", ...]
    negated: bool


class Presence(NamedTuple):
    """Whether an embed finds any row."""

    embed: "EmbedPlan"
    negated: bool


PlannedFilter = Comparison | FunctionTest | SearchTest | Combination | Presence


class Order(NamedTuple):
    """One value that rows are ordered by; of the node itself, or of the one row that an embed finds."""

    value: ColumnOutput
    descending: bool
    nulls_first: bool
    embed: "EmbedPlan | None" = None


@dataclass(frozen=True, slots=True)
class Node:
    """One table in one place of the answer. alias: its name in the SQL. outputs: by key, in order.

    key: primary key columns that break ties of the order where the rows are paged, () for none.
    aggregated: whether an answer row stands for many rows; those that agree in every other output.
    """

    table: str
    alias: str
    outputs: Mapping[str, "Output"]
    inner: tuple["EmbedPlan", ...]
    filters: tuple[PlannedFilter, ...]
    order: tuple[Order, ...]
    limit: int | None
    offset: int
    key: tuple[str, ...]
    aggregated: bool = False


class EmbedPlan(NamedTuple):
    """Related rows inside the rows of another node."""

    node: Node
    relationship: Relationship


Output = ColumnOutput | AggregateOutput | EmbedPlan | SpreadOutput


class KeyList(NamedTuple):
    """The rows a write touched: their key columns, and a JSON list of values (of lists, for several columns)."""

    columns: tuple[str, ...]
    json: str


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """One read. tables: every table it touches, as the caller sees it. keys: only these rows of the root.

    count: how the total is counted: exact, up to count_limit rows, or not at all (None). head: whether the rows are
    not wanted. whole: columns that make up the state of a row, () when that is not wanted.
    values: what the policies' names stand for. warnings: what the client should know of its request.
    """

    root: Node
    tables: tuple[VisibleTable, ...]
    values: Mapping[str, SqlValue]
    count: str | None
    head: bool
    keys: KeyList | None = None
    whole: tuple[ColumnOutput, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    count_limit: int | None = None
