"""Whose word counts at which time, and percentages as people round them."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.attendance import has_started, judge_intention, judge_presence, percent

COUNT = st.integers(0, 10_000)


@given(COUNT, st.integers(1, 10_000))
def test_a_percentage_is_rounded_half_up(part: int, whole: int):
    exact = Decimal(100 * part) / Decimal(whole)
    assert percent(part, whole) == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


@given(COUNT)
def test_a_percentage_of_nothing_is_nothing(part: int):
    assert percent(part, 0) == 0


@given(st.integers(1, 1_000), st.data())
def test_a_percentage_grows_with_its_part_from_0_to_100(whole: int, data: st.DataObject):
    part = data.draw(st.integers(0, whole - 1))
    assert 0 <= percent(part, whole) <= percent(part + 1, whole) <= percent(whole, whole) == 100


@pytest.mark.parametrize(("part", "whole", "shown"), [(5, 8, 63), (1, 3, 33), (2, 3, 67), (1, 200, 1), (1, 201, 0)])
def test_halves_go_up(part: int, whole: int, shown: int):
    assert percent(part, whole) == shown


@pytest.mark.parametrize(
    ("now", "started"),
    [("2026-03-05T15:59:59.999Z", False), ("2026-03-05T16:00:00.000Z", True), ("2026-03-05T16:00:00.001Z", True)],
)
def test_the_first_moment_counts_as_started(now: str, started: bool):
    assert has_started("2026-03-05T16:00:00.000Z", now) is started


@given(st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_trust_widens_rights_over_ones_own_row_only(started: bool, own: bool, recorder: bool, trusted: bool):
    given = {"started": started, "own": own, "recorder": recorder}
    intention, presence = judge_intention(**given, trusted=trusted), judge_presence(**given, trusted=trusted)
    if not own:
        assert intention == judge_intention(**given, trusted=not trusted)
        assert presence == judge_presence(**given, trusted=not trusted)
        assert (intention == "allowed") is recorder
    assert (presence == "not_started") is not started
    if recorder:
        assert intention == "allowed"
        assert (presence == "allowed") is started
    elif started:
        # Once it has started, whoever is trusted with one half of her own row is trusted with the other.
        assert (intention == "allowed") == (presence == "allowed") == (own and trusted)
