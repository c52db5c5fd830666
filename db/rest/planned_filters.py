"""Parsed filters to planned ones: columns checked, values typed, the rarer operators turned into functions.

Knows one table as its caller sees it, and its embeds; no relationship and no SQL.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from db.errors import Invalid, NotFound
from db.rest.filters import CONTAINMENTS, PATTERNS, RANGES, SEARCHES, Condition, Filter
from db.rest.limits import Limits
from db.rest.plan import Combination, Comparison, EmbedPlan, FunctionTest, PlannedFilter, Presence, SearchTest
from db.rest.values import glob_pattern, typed_value
from db.rest.visibility import VisibleColumn, VisibleTable, undefined_column
from db.transaction import SqlValue

__all__ = ["planned_filter", "visible_column"]

# A subquery is deeper than any brackets a request may hold.
_PRESENCE_DEPTH = 1_000


def visible_column(table: VisibleTable, name: str, *, with_path: bool = False) -> VisibleColumn:
    """The column. Raises Invalid 42703 for one that is absent or hidden, NotFound 42883 for a path into no text."""
    column = table.columns.get(name)
    if column is None:
        raise undefined_column(table.name, table.columns, name)
    if with_path and column.affinity != "TEXT":
        raise NotFound(f"operator does not exist: {column.affinity.lower()} -> unknown", code="42883", field=name)
    return column


def planned_filter(table: VisibleTable, embeds: Mapping[str, EmbedPlan], tree: Filter, limits: Limits) -> PlannedFilter:
    """The tree as it is to be run. Raises Invalid PGRST120, PGRST127, 42703, 22P02 and the like; NotFound 42883."""
    if isinstance(tree, Condition):
        return _condition(table, embeds, tree, limits)
    members = [planned_filter(table, embeds, _turned(member, tree.negated), limits) for member in tree.members]
    return _combined(tree.operator, members, negated=tree.negated)


def _turned(tree: Filter, negated: bool) -> Filter:
    """The tree, or what it denies."""
    return tree._replace(negated=not tree.negated) if negated else tree


def _combined(operator: str, members: list[PlannedFilter], *, negated: bool) -> Combination:
    """The members joined. negated: by De Morgan, who holds for nulls too; the members were turned already.

    SQLite reads a statement with a stack of a hundred places: a NOT with its brackets takes three of them, a bracket
    that comes first a single one. So nothing is denied but single tests, and the deepest brackets come first.
    """
    if negated:
        operator = "and" if operator == "or" else "or"
    flat: list[PlannedFilter] = []
    for member in members:
        same = isinstance(member, Combination) and member.members and member.operator == operator
        flat += member.members if isinstance(member, Combination) and same else [member]
    return Combination(operator, tuple(sorted(flat, key=_depth, reverse=True)), negated=False)


def _depth(tree: PlannedFilter) -> int:
    """How many brackets a filter takes inside each other."""
    if isinstance(tree, Combination):
        return 1 + max(map(_depth, tree.members), default=0)
    return _PRESENCE_DEPTH if isinstance(tree, Presence) else 0


def _condition(table: VisibleTable, embeds: Mapping[str, EmbedPlan], tree: Condition, limits: Limits) -> PlannedFilter:
    """One condition as it is to be run."""
    presence = _presence(embeds, table, tree)
    if presence:
        return presence
    column = visible_column(table, tree.column, with_path=tree.path is not None)
    if tree.quantifier is not None:
        members = [_test(table, column, tree, str(value), limits, negated=tree.negated) for value in tree.value]
        return _combined("or" if tree.quantifier == "any" else "and", members, negated=tree.negated)
    return _test(table, column, tree, tree.value, limits, negated=tree.negated)


def _presence(embeds: Mapping[str, EmbedPlan], table: VisibleTable, condition: Condition) -> Presence | None:
    """`embed=is.null` or `embed=not.is.null`; a column of that name is meant by any other operator."""
    embed = embeds.get(condition.column) if condition.path is None else None
    if embed is None:
        return None
    if condition.operator == "is" and condition.value in ("null", "not_null"):
        return Presence(embed, condition.negated != (condition.value == "null"))
    if condition.column in table.columns:
        return None
    raise Invalid(
        f"Bad operator on the '{condition.column}' embedded resource",
        code="PGRST120",
        details="Only is null or not is null filters are allowed on embedded resources",
    )


def _test(
    table: VisibleTable,
    column: VisibleColumn,
    condition: Condition,
    value: str | tuple[str, ...],
    limits: Limits,
    *,
    negated: bool,
) -> PlannedFilter:
    """One test of one column with one value."""
    operator, path = condition.operator, condition.path
    if operator in _RARE:
        return _RARE[operator](_Rare(table, column, condition, str(value), negated, limits))
    if path is None:
        return Comparison(column.name, operator, _operand(column, operator, value), negated)
    affinity = "TEXT" if path.as_text else "JSON"
    at_place = VisibleColumn(column.name, affinity, column.sql)
    return Comparison(column.name, operator, _operand(at_place, operator, value), negated, path)


def _operand(column: VisibleColumn, operator: str, value: str | tuple[str, ...]) -> SqlValue | tuple[SqlValue, ...]:
    """The value in the form its operator needs."""
    if isinstance(value, tuple):
        return tuple(_typed(text, column) for text in value)
    match operator:
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
            return _typed(value, column)


def _typed(text: str, column: VisibleColumn) -> SqlValue:
    """The value to compare the column with; for a place in JSON it must be JSON itself."""
    if column.affinity != "JSON":
        return typed_value(text, column.affinity)
    from db.rest.json_values import json_text  # here, because few requests compare JSON

    return json_text(text)


class _Rare(NamedTuple):
    """A test by one of the rarer operators."""

    table: VisibleTable
    column: VisibleColumn
    condition: Condition
    value: str
    negated: bool
    limits: Limits

    def by(self, function: str, words: tuple[str, ...], value: str) -> FunctionTest:
        """The test as one of the engine's own functions makes it."""
        return FunctionTest(function, words, self.column.name, value, self.negated, self.condition.path)


def _pattern(test: _Rare) -> PlannedFilter:
    """A regular expression."""
    from db.rest.regex import check_pattern  # here, because its engine is a library that few requests need

    pattern = check_pattern(test.value, test.limits, ignore_case=test.condition.operator == "imatch")
    return test.by("regex_test", (), pattern)


def _containment(test: _Rare) -> PlannedFilter:
    """Containment or overlap: of JSON in a column of JSON or at a place in one, else of ranges in text."""
    path = test.condition.path
    if test.column.kind not in ("json", "document") and (path is None or path.as_text):
        return _range(test)
    from db.rest.json_values import wanted_json  # as above

    return test.by("json_test", (test.condition.operator,), wanted_json(test.value))


def _range(test: _Rare) -> PlannedFilter:
    """How the range in a text column lies to another."""
    column, operator = test.column, test.condition.operator
    if column.affinity != "TEXT" or column.kind in ("json", "document"):
        kind = column.affinity.lower() if column.kind == "plain" else "json"
        message = f"operator {operator} does not exist for the type {kind} of {column.name}"
        raise NotFound(message, code="42883", field=column.name)
    from db.rest.ranges import check_range  # as above

    return test.by("range_test", (operator,), check_range(test.value))


def _search(test: _Rare) -> PlannedFilter:
    """A full-text search, where the charter declares an index for the column."""
    column, condition, key = test.column, test.condition, test.table.key
    index = test.table.search.get(column.name)
    if index is None or condition.path is not None or not key:
        raise Invalid(
            "Feature not implemented",
            code="PGRST127",
            field=column.name,
            details=f"full text search on {column.name}: no index is declared for it",
        )
    from db.rest.search import match_text  # as above

    match = match_text(condition.operator, column.name, test.value, condition.language, test.limits)
    return SearchTest(column.name, index, key, match or "", test.negated)


_RARE: dict[str, Callable[[_Rare], PlannedFilter]] = {
    **dict.fromkeys(PATTERNS, _pattern),
    **dict.fromkeys(CONTAINMENTS, _containment),
    **dict.fromkeys(RANGES, _range),
    **dict.fromkeys(SEARCHES, _search),
}
