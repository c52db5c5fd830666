"""JSON objects built by SQL text."""

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from db.json_sql import identifier, json_object_sql, literal


def built(pairs: list[tuple[str, str]]) -> Any:
    with closing(sqlite3.connect(":memory:")) as connection:
        (text,) = connection.execute(f"SELECT {json_object_sql(pairs)}").fetchone()
        return json.loads(text)


@pytest.mark.parametrize("width", [0, 1, 59, 60, 61, 63, 64, 120, 121, 2000])
def test_an_object_of_any_width_holds_every_pair_in_order(width: int) -> None:
    found = built([(f"k{number}", str(number)) for number in range(width)])
    assert list(found.items()) == [(f"k{number}", number) for number in range(width)]


@pytest.mark.parametrize("width", [1, 100])
def test_values_keep_their_json_type(width: int) -> None:
    values = {"NULL": None, "1.5": 1.5, "'it''s \"x\"\n'": 'it\'s "x"\n', "json('[1,{}]')": [1, {}], "'[1]'": "[1]"}
    for sql, value in values.items():
        assert built([(f"k{number}", sql) for number in range(width)])["k0"] == value


@pytest.mark.parametrize("width", [1, 100])
@pytest.mark.parametrize("key", ["it's", 'a"b', "a\\b", "õ", "a\nb"])
def test_keys_are_escaped(key: str, width: int) -> None:
    assert key in built([(key, "1"), *((f"k{number}", "1") for number in range(width))])


def test_a_wide_object_stays_json_inside_another() -> None:
    wide = json_object_sql([(f"k{number}", "1") for number in range(200)])
    assert len(built([("inner", wide)])["inner"]) == 200


@pytest.mark.parametrize("name", ["plain", 'quo"ted', "with blank", "select"])
def test_identifiers_and_literals_are_quoted(name: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE {identifier(name)} (a)")
        assert connection.execute(f"SELECT name = {literal(name)} FROM sqlite_schema").fetchone() == (1,)
