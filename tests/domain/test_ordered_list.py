"""A list in an order of its own: every id once, nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ordered_list import permutation_fault


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (["b", "a"], None),
        (["a"], "missing"),
        (["a", "b", "c"], "not of this organization"),
        (["a", "a"], "repeated"),
        ([], "missing"),
    ],
)
def test_an_order_names_everything_once(given: list[str], fault: str | None):
    found = permutation_fault(given, ["a", "b"])
    assert (found is None) if fault is None else (found is not None and fault in found)


@given(st.lists(st.sampled_from("abcde")), st.sets(st.sampled_from("abcde")))
def test_only_permutations_are_orders(order: list[str], existing: set[str]):
    assert (permutation_fault(order, existing) is None) == (sorted(order) == sorted(existing))
