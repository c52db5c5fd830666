"""Numbers in series: padding, what counts as a series, order as people read it."""

import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.sql_functions import casefold
from domain.numbering import batch_numbers, natural_order, next_number, parse_prefix

PREFIXES = st.sampled_from(["", "M", "m", "S1", "A-B", "Õ"])
NUMBERS = st.lists(
    st.one_of(st.from_regex(r"\A(M|m|S1|A-B|Õ)-[0-9]{1,6}\Z"), st.from_regex(r"\A[0-9]{1,6}\Z"), st.text(max_size=8))
)


@pytest.mark.parametrize(
    ("typed", "meant"), [(None, ""), ("", ""), ("-", ""), ("M", "M"), ("M-", "M"), (" M - ", "M"), ("A-B", "A-B")]
)
def test_a_prefix_typed_with_its_hyphen_is_the_same_prefix(typed, meant):
    assert parse_prefix(typed) == meant


@pytest.mark.parametrize(
    ("taken", "prefix", "number"),
    [
        ([], "", 1),
        (["07", "8", "x9", "M-40", "9a", "٩"], "", 9),
        (["M-07", "M-9", "m-50", "MM-60", "M-1-70", "M70", "40"], "M", 10),
        (["0"], "", 1),
        (["000"], "", 1),
    ],
)
def test_only_numbers_of_the_same_series_count(taken, prefix, number):
    assert next_number(taken, prefix) == number


@pytest.mark.parametrize(
    ("start", "count", "first", "last"),
    [(1, 3, "01", "03"), (98, 2, "98", "99"), (98, 3, "098", "100"), (0, 1, "00", "00"), (26, 80, "026", "105")],
)
def test_a_batch_is_as_wide_as_its_last_number_and_two_digits_at_least(start, count, first, last):
    made = batch_numbers("", start, count)
    assert (made[0], made[-1], len(made)) == (first, last, count)


@given(NUMBERS, PREFIXES, st.integers(1, 100))
def test_a_batch_without_a_start_never_meets_a_number_that_is_taken(taken, prefix, count):
    made = batch_numbers(prefix, next_number(taken, prefix), count)
    assert len(set(made)) == count
    assert not set(made) & set(taken)


@given(NUMBERS, PREFIXES, st.integers(1, 100))
def test_the_next_batch_begins_where_the_last_one_ended(taken, prefix, count):
    start = next_number(taken, prefix)
    assert next_number([*taken, *batch_numbers(prefix, start, count)], prefix) == start + count


@given(PREFIXES, st.integers(0, 10**12), st.integers(1, 100))
def test_every_number_of_a_batch_has_one_width_and_one_series(prefix, start, count):
    made = batch_numbers(prefix, start, count)
    assert len({len(number) for number in made}) == 1
    assert [int(number.removeprefix(f"{prefix}-")) for number in made] == list(range(start, start + count))


def in_order(numbers):
    connection = sqlite3.connect(":memory:")
    connection.create_function("casefold", 1, casefold, deterministic=True)
    connection.execute("CREATE TABLE copies (number TEXT)")
    connection.executemany("INSERT INTO copies VALUES (?)", [(number,) for number in numbers])
    return [row[0] for row in connection.execute(f"SELECT number FROM copies ORDER BY {natural_order('number')}")]


def test_numbers_are_listed_as_people_read_them():
    wanted = ["2", "9", "10", "M-9", "m-9", "M-10", "M-100", "Õ-1", "õ-2"]
    assert in_order(reversed(wanted)) == wanted


@given(st.lists(st.tuples(st.sampled_from(["", "M-", "m-", "a", "Õ-"]), st.integers(0, 10**30)), unique=True))
def test_the_order_is_by_text_without_case_and_then_by_value(parts):
    listed = in_order([f"{text}{number}" for text, number in parts])
    keys = [re.fullmatch(r"(.*?)([0-9]*)", number).groups() for number in listed]
    assert [(text.casefold(), int(digits)) for text, digits in keys] == sorted(
        (text.casefold(), number) for text, number in parts
    )
