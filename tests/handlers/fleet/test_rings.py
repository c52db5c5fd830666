"""Rings and budgets as operators write them."""

import pytest

from db.errors import Invalid
from db.registry.rollouts import Ring
from handlers.fleet.rings import allowed_failures, canary_count, counted_failures, parse_budget, parse_rings, ring_of

IDS = [f"vault-{number}" for number in range(2000)]


def test_rings_grow_and_every_vault_is_in_the_first_that_takes_it():
    rings = parse_rings("canary, 10%,all")
    assert [(ring.name, ring.share) for ring in rings] == [("canary", 0), ("10%", 1000), ("all", 10000)]
    chosen = (Ring("canary", 0, ("vault-7",)), *rings[1:])
    found = [ring_of(vault_id, chosen) for vault_id in IDS]
    assert (found[7], found.count(0)) == (0, 1)
    assert 140 < found.count(1) < 260
    assert None not in found
    assert [ring_of(vault_id, chosen) for vault_id in IDS] == found


def test_a_vault_outside_the_last_share_belongs_nowhere():
    found = [ring_of(vault_id, parse_rings("5%")) for vault_id in IDS]
    assert found.count(0) < 160
    assert found.count(0) + found.count(None) == len(IDS)


@pytest.mark.parametrize(
    "text", ["", "10", "0%", "100.01%", "10%,5%", "10%,10%", "all,canary", "10%,canary", "all,10%", "x"]
)
def test_other_rings_are_refused(text):
    with pytest.raises(Invalid):
        parse_rings(text)


@pytest.mark.parametrize("text", ["", "-1", "101%", "1.5", "many"])
def test_other_budgets_are_refused(text):
    with pytest.raises(Invalid):
        parse_budget(text)


@pytest.mark.parametrize(
    ("budget", "total", "allowed"), [("0", 100, 0), ("5", 3, 5), ("1%", 99, 0), ("1%", 100, 1), ("2.5%", 200, 5)]
)
def test_a_number_is_for_the_rollout_and_a_share_for_the_ring(budget, total, allowed):
    assert allowed_failures(parse_budget(budget), Ring("all", 10000, (), total)) == allowed
    counts = {0: {"failed": 2, "migrated": 1}, 1: {"failed": 3}}
    assert counted_failures(budget, 1, counts) == (3 if budget.endswith("%") else 5)


@pytest.mark.parametrize(("due", "canaries"), [(0, 0), (1, 1), (100, 1), (101, 2), (950, 10), (10_000, 10)])
def test_one_in_a_hundred_is_a_canary_and_ten_are_enough(due, canaries):
    assert canary_count(due) == canaries
