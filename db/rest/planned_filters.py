"""Parsed filters to planned ones: columns checked, values typed, the rarer operators turned into functions.

Knows one table as its caller sees it, and its embeds; no relationship and no SQL.
"""

from collections.abc import Callable, Mapping

from db.errors import Invalid, NotFound
from db.rest.filters import CONTAINMENTS, PATTERNS, RANGES, SEARCHES, Condition, Filter
from db.rest.plan import Combination, Comparison, EmbedPlan, FunctionTest, PlannedFilter, Presence, SearchTest
from db.rest.values import glob_pattern, typed_value
from db.rest.visibility import VisibleColumn, VisibleTable, undefined_column
from db.transaction import SqlValue

__all__ = ["planned_filter", "visible_column"]


def visible_column(table: VisibleTable, name: str, *, with_path: bool = False) -> VisibleColumn:
    """The column. Raises Invalid 42703 for one that is absent or hidden, NotFound 42883 for a path into no text."""
    column = table.columns.get(name)
    if column is None:
        raise undefined_column(table.name, table.columns, name)
    if with_path and column.affinity != "TEXT":
        raise NotFound(f"operator does not exist: {column.affinity.lower()} -> unknown", code="42883", field=name)
    return column


def planned_filter(table: VisibleTable, embeds: Mapping[str, EmbedPlan], tree: Filter) -> PlannedFilter:
    """The tree as it is to be run. Raises Invalid PGRST120, PGRST127, 42703, 22P02 and the like; NotFound 42883."""
    if not isinstance(tree, Condition):
        members = tuple(planned_filter(table, embeds, member) for member in tree.members)
        return Combination(tree.operator, members, tree.negated)
    presence = _presence(embeds, table, tree)
    if presence:
        return presence
    column = visible_column(table, tree.column, with_path=tree.path is not None)
    if tree.quantifier is not None:
        members = tuple(_test(table, column, tree, str(value), negated=False) for value in tree.value)
        return Combination("or" if tree.quantifier == "any" else "and", members, tree.negated)
    return _test(table, column, tree, tree.value, negated=tree.negated)


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
    table: VisibleTable, column: VisibleColumn, condition: Condition, value: str | tuple[str, ...], *, negated: bool
) -> PlannedFilter:
    """One test of one column with one value."""
    operator, path = condition.operator, condition.path
    if operator in _RARE:
        return _RARE[operator](table, column, condition, str(value), negated)
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


def _pattern(
    table: VisibleTable, column: VisibleColumn, condition: Condition, value: str, negated: bool
) -> PlannedFilter:
    """A regular expression."""
    from db.rest.regex import check_pattern  # here, because its engine is a library that few requests need

    pattern = check_pattern(value, ignore_case=condition.operator == "imatch")
    return FunctionTest("regex_test", (), column.name, pattern, negated, condition.path)


def _containment(
    table: VisibleTable, column: VisibleColumn, condition: Condition, value: str, negated: bool
) -> PlannedFilter:
    """Containment or overlap: of JSON in a column of JSON or at a place in one, else of ranges in text."""
    in_json = column.kind in ("json", "document") or (condition.path is not None and not condition.path.as_text)
    if not in_json:
        return _range(table, column, condition, value, negated)
    from db.rest.json_values import wanted_json  # as above

    return FunctionTest("json_test", (condition.operator,), column.name, wanted_json(value), negated, condition.path)


def _range(
    table: VisibleTable, column: VisibleColumn, condition: Condition, value: str, negated: bool
) -> PlannedFilter:
    """How the range in a text column lies to another."""
    if column.affinity != "TEXT" or column.kind in ("json", "document"):
        kind = column.affinity.lower() if column.kind == "plain" else "json"
        message = f"operator {condition.operator} does not exist for the type {kind} of {column.name}"
        raise NotFound(message, code="42883", field=column.name)
    from db.rest.ranges import check_range  # as above

    return FunctionTest("range_test", (condition.operator,), column.name, check_range(value), negated, condition.path)


def _search(
    table: VisibleTable, column: VisibleColumn, condition: Condition, value: str, negated: bool
) -> PlannedFilter:
    """A full-text search, where the charter declares an index for the column."""
    index = table.search.get(column.name)
    if index is None or condition.path is not None or not table.key:
        raise Invalid(
            "Feature not implemented",
            code="PGRST127",
            field=column.name,
            details=f"full text search on {column.name}: no index is declared for it",
        )
    from db.rest.search import match_text  # as above

    match = match_text(condition.operator, column.name, value, condition.language)
    return SearchTest(column.name, index, table.key, match or "", negated)


_Plan = Callable[[VisibleTable, VisibleColumn, Condition, str, bool], PlannedFilter]
_RARE: dict[str, _Plan] = {
    **dict.fromkeys(PATTERNS, _pattern),
    **dict.fromkeys(CONTAINMENTS, _containment),
    **dict.fromkeys(RANGES, _range),
    **dict.fromkeys(SEARCHES, _search),
}
