"""What storage costs: shares, started gigabytes, the steps of a choir of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.choir.association.affiliations import derive_status
from domain.choir.association.storage_price import GB, MB, choir_cents, shared_bytes, umbrella_cents

SIZES = st.integers(0, 10**13)
AFFILIATES = st.lists(st.tuples(SIZES, st.integers(1, 5)), max_size=6)


@pytest.mark.parametrize(
    ("own", "affiliates", "cents"),
    [
        (0, [], 1000),
        (0, [(0, 1)], 1000),
        (1, [], 1100),
        (GB, [], 1100),
        (GB + 1, [], 1200),
        (0, [(3_200_000_000, 1), (2 * GB, 2)], 1500),
        (0, [(1, 3), (1, 3), (1, 3)], 1100),
        (GB, [(1, 3)], 1200),
    ],
)
def test_an_umbrella_pays_a_basic_price_and_for_each_started_gigabyte(own, affiliates, cents):
    assert umbrella_cents(shared_bytes(own, affiliates)) == cents


@given(SIZES, AFFILIATES)
def test_the_price_covers_the_bytes_and_no_gigabyte_more(own, affiliates):
    counted = shared_bytes(own, affiliates)
    gigabytes = (umbrella_cents(counted) - 1000) // 100
    assert (gigabytes - 1) * GB < counted <= gigabytes * GB or counted == gigabytes == 0


@given(st.integers(1, 10**12), st.integers(1, 7))
def test_the_shares_of_all_umbrellas_add_up_to_what_is_stored(size, umbrellas):
    assert sum(shared_bytes(0, [(size, umbrellas)]) for _ in range(umbrellas)) == size


@pytest.mark.parametrize(
    ("size", "cents"),
    [(0, 0), (100 * MB, 0), (100 * MB + 1, 300), (GB, 300), (GB + 1, 1000), (10 * GB, 1000), (10 * GB + 1, None)],
)
def test_a_choir_of_its_own_pays_by_steps(size, cents):
    assert choir_cents(size, free=False) == cents
    assert choir_cents(size, free=True) == 0


@pytest.mark.parametrize(
    ("active", "left", "status"),
    [
        (1, None, "affiliated"),
        (1, "2026-03-01", "affiliated"),
        (0, "2026-03-02", "grace"),
        (0, "2026-03-01", "independent"),
        (0, None, "independent"),
    ],
)
def test_a_collective_is_in_grace_less_than_thirty_days(active, left, status):
    assert derive_status(active_count=active, last_left_at=left, grace_from="2026-03-01") == status
