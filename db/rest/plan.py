"""Typed plans: what the SQL of one read is made of, every name checked and every value typed. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.rest.relations import Relationship
from db.rest.select import OrderTerm
from db.rest.visibility import VisibleTable
from db.transaction import SqlValue

__all__ = [
    "ColumnOutput",
    "Combination",
    "Comparison",
    "EmbedPlan",
    "KeyList",
    "Node",
    "PlannedFilter",
    "Presence",
    "ReadPlan",
]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One test of a column. value: typed; for `in` a tuple, for `is` a word, for `like` and `ilike` a GLOB pattern."""

    column: str
    operator: str
    value: SqlValue | tuple[SqlValue, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Combination:
    """Tests joined by `and` or `or`."""

    operator: str
    members: tuple["PlannedFilter", ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether an embed finds any row."""

    embed: "EmbedPlan"
    negated: bool


PlannedFilter = Comparison | Combination | Presence


@dataclass(frozen=True, slots=True)
class ColumnOutput:
    """A column in the answer. is_bytes: written as hex, since JSON holds no bytes."""

    column: str
    is_bytes: bool


@dataclass(frozen=True, slots=True)
class Node:
    """One table in one place of the answer. alias: its name in the SQL. outputs: by key, in order.

    key: primary key columns that break ties of the order where the rows are paged, () for none.
    """

    table: str
    alias: str
    outputs: Mapping[str, "ColumnOutput | EmbedPlan"]
    inner: tuple["EmbedPlan", ...]
    filters: tuple[PlannedFilter, ...]
    order: tuple[OrderTerm, ...]
    limit: int | None
    offset: int
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EmbedPlan:
    """Related rows inside the rows of another node."""

    node: Node
    relationship: Relationship


@dataclass(frozen=True, slots=True)
class KeyList:
    """The rows a write touched: their key columns, and a JSON list of values (of lists, for several columns)."""

    columns: tuple[str, ...]
    json: str


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """One read. tables: every table it touches, as the caller sees it. keys: only these rows of the root.

    count: whether the total is wanted. head: whether the rows are not. values: what the policies' names stand for.
    """

    root: Node
    tables: tuple[VisibleTable, ...]
    values: Mapping[str, SqlValue]
    count: bool
    head: bool
    keys: KeyList | None = None
