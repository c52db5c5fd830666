"""Values for the parameters of a statement, numbered as SQLite numbers them."""

import sqlite3
from typing import Any

import pytest

from db.errors import Invalid
from db.sql.messages import SqlFailed
from db.sql.parameters import MOST_PARAMETERS, bind, sql_values

CASES = [
    ("select ?, ?", [1, 2], (1, 2)),
    ("select ?2, ?1", [1, 2], (2, 1)),
    ("select ?2, ?", [1, 2, 3], (2, 3)),
    ("select :a, :b, :a", [1, 2], (1, 2, 1)),
    ("select @a, $a, :a", [1, 2, 3], (1, 2, 3)),
    ("select ?, :a, ?", [1, 2, 3], (1, 2, 3)),
    ('select \':a\', ":b" from (select 7 as ":b"), (select ? as c) -- :d', [1], (":a", 7)),
    ("select /* ? */ ?", ["x"], ("x",)),
    ("select '?', ?1, ?1", [5], ("?", 5, 5)),
]


@pytest.mark.parametrize(("sql", "values", "row"), CASES)
def test_values_go_where_sqlite_counts_them(sql: str, values: list[Any], row: tuple[Any, ...]) -> None:
    text, bound = bind(sql, values)

    assert sqlite3.connect(":memory:").execute(text, bound).fetchone() == row


@pytest.mark.parametrize("values", [[], [1], [1, 2, 3]])
def test_too_few_and_too_many_values_are_refused(values: list[int]) -> None:
    with pytest.raises(SqlFailed, match=r"^Wrong number of parameter bindings for SQL query\.$"):
        bind("select ?, :a", values)


@pytest.mark.parametrize("count", [MOST_PARAMETERS - 1, MOST_PARAMETERS])
def test_as_many_values_as_sqlite_takes_are_taken(count: int) -> None:
    assert len(bind("?" + ",?" * (count - 1), [0] * count)[1]) == count


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (7, 7),
        (2.5, 2.5),
        (True, 1),
        (False, 0),
        (None, None),
        ("x", "x"),
        ("\ud800", "?"),
        ([], b""),
        ([0, 255], b"\x00\xff"),
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
    ],
)
def test_json_values_keep_their_type(given: Any, value: Any) -> None:
    (got,) = sql_values([given])

    assert (type(got), got) == (type(value), value)


def test_numbers_become_real_where_asked_for() -> None:
    assert [(type(value), value) for value in sql_values([7, True], as_real=True)] == [(float, 7.0), (float, 1.0)]


@pytest.mark.parametrize("given", [[256], [-1], [1.5], ["a"], [True], [[1]], {}])
def test_what_is_no_value_of_sqlite_is_refused(given: Any) -> None:
    with pytest.raises(Invalid) as refused:
        sql_values([given])

    assert refused.value.code == "sql_request"
