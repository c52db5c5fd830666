"""Planned filters to SQL conditions, values bound. Knows SQLite and the engine's own functions; no answer's shape."""

from collections.abc import Sequence

from db.json_sql import identifier
from db.rest.expressions import column_sql, place_sql
from db.rest.plan import Combination, Comparison, EmbedPlan, FunctionTest, Node, PlannedFilter, Presence, SearchTest
from db.transaction import SqlValue

__all__ = ["DEADLINE", "Conditions", "where_sql"]

DEADLINE = "deadline"
"""The parameter for the moment, in seconds of the monotonic clock, after which regular expressions fail."""

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


def where_sql(conditions: Sequence[str]) -> str:
    """The WHERE clause, or nothing."""
    return " WHERE " + " AND ".join(conditions) if conditions else ""


class Conditions:
    """The conditions of one statement, with the values bound so far."""

    def __init__(self) -> None:
        self.values: dict[str, SqlValue] = {}

    def bind(self, value: SqlValue) -> str:
        """A new parameter for the value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f":{name}"

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
        return source + where_sql([joined, *self.conditions(node)])

    def conditions(self, node: Node) -> list[str]:
        """Every condition on the rows of a node, those of its inner embeds included."""
        return [
            *(self.required(node, tree) for tree in node.filters),
            *(f"EXISTS (SELECT 1 {self.related(node, embed)})" for embed in node.inner),
        ]

    def required(self, node: Node, tree: PlannedFilter) -> str:
        """A filter that every row must pass; no matter whether others fail it or cannot tell, so an index may lead."""
        if isinstance(tree, SearchTest) and tree.match and not tree.negated:
            found = self.found(node.table, node.alias, tree)
            return f"({found} AND {column_sql(node.alias, tree.column)} IS NOT NULL)"
        return self.condition(node, tree)

    def condition(self, node: Node, tree: PlannedFilter) -> str:
        """One filter."""
        match tree:
            case Combination():
                joined = f" {tree.operator.upper()} ".join(self.condition(node, member) for member in tree.members)
                # No member at all is what `eq(any).{}` and `eq(all).{}` come to.
                sql = f"({joined})" if joined else str(int(tree.operator == "and"))
            case Comparison():
                sql = self.comparison(column_sql(node.alias, tree.column), tree)
            case FunctionTest():
                sql = self.function_test(column_sql(node.alias, tree.column), tree)
            case SearchTest():
                sql = self.search(node.table, node.alias, tree)
            case Presence():
                sql = f"EXISTS (SELECT 1 {self.related(node, tree.embed)})"
        return f"NOT ({sql})" if tree.negated else sql

    def comparison(self, column: str, test: Comparison) -> str:
        """One test of a column, or of a place in its JSON."""
        value = test.value
        if test.path:
            column = place_sql(column, test.path, self.bind)
            if not test.path.as_text and test.operator != "is":
                return self.json_comparison(column, test)
        if isinstance(value, tuple):
            return f"{column} IN ({', '.join(map(self.bind, value))})"
        if test.operator == "is":
            return f"{column} {_IS[str(value)]}"
        if test.operator == "ilike":
            return f"casefold({column}) GLOB {self.bind(value)}"
        return f"{column} {_COMPARISONS[test.operator]} {self.bind(value)}"

    def json_comparison(self, column: str, test: Comparison) -> str:
        """A test of JSON as JSON; patterns go over its text."""
        value = test.value
        if isinstance(value, tuple):
            tests = [f"json_compare({column}, {self.bind(part)}) = 0" for part in value]
            return f"({' OR '.join(tests)})" if tests else f"{column} IN ()"
        if test.operator in ("like", "ilike"):
            text = f"casefold({column})" if test.operator == "ilike" else column
            return f"{text} GLOB {self.bind(value)}"
        return f"json_compare({column}, {self.bind(value)}) {_COMPARISONS[test.operator]} 0"

    def function_test(self, column: str, test: FunctionTest) -> str:
        """A test by one of the engine's own functions."""
        if test.path:
            column = place_sql(column, test.path, self.bind)
        if test.function == "regex_test":
            self.values[DEADLINE] = None
            return f"regex_test({column}, {self.bind(test.value)}, :{DEADLINE})"
        words = "".join(f"{self.bind(word)}, " for word in test.words)
        return f"{test.function}({words}{column}, {self.bind(test.value)})"

    def search(self, table: str, alias: str, test: SearchTest) -> str:
        """A full-text search by the rows' keys; a column that reads as null holds no words for this caller."""
        column = column_sql(alias, test.column)
        if not test.match:
            return f"CASE WHEN {column} IS NOT NULL THEN 0 END"
        return f"CASE WHEN {column} IS NOT NULL THEN {self.found(table, alias, test)} END"

    def found(self, table: str, alias: str, test: SearchTest) -> str:
        """Whether the index has the row, by its key."""
        index = identifier(test.fts.table)
        own = ", ".join(column_sql(alias, name) for name in test.key)
        key = ", ".join(map(identifier, test.key))
        words = f"FROM main.{index} WHERE {index} MATCH {self.bind(test.match)}"
        if test.fts.key:
            return f"{own} IN (SELECT {identifier(test.fts.key)} {words})"
        found = f"SELECT rowid {words}"
        keys = f"SELECT {key} FROM main.{identifier(table)} WHERE rowid IN ({found})"
        return f"({own}) IN ({keys})"


def _equal(left: str, right: str, pairs: Sequence[tuple[str, str]]) -> str:
    """The join condition: each pair is (column of the left, column of the right)."""
    return " AND ".join(f"{left}.{identifier(a)} = {right}.{identifier(b)}" for a, b in pairs)
