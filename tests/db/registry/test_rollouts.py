"""Rollouts in the registry: one at a time, each vault claimed once, the first outcome stands."""

import pytest

from db.errors import Conflict
from db.registry.rollout_vaults import (
    Outcome,
    claim_vaults,
    note_bookmark,
    note_outcome,
    retry_failed,
    ring_counts,
    rollout_vaults,
)
from db.registry.rollouts import (
    Ring,
    begin_rollout,
    end_rollout,
    enter_ring,
    get_rollout,
    halt_rollout,
    last_rollout,
    open_rollout,
    resume_rollout,
)
from tests.db.registry.registry_rows import at, make_vault

NOW, LATER = at("10:00:00"), at("11:00:00")
RINGS = (Ring("canary", 0, ("v-aurora",), 1), Ring("all", 10_000, (), 2))
STATES = ("begun", "migrated", "current", "failed", "reverted")


def begin(tx, now=NOW):
    wanted = {"charter": None, "target": {"choir": {"choir": 8}}, "target_hash": "a" * 64}
    return begin_rollout(tx, **wanted, rings=RINGS, error_budget="1%", now=now)


def found(tx, rollout):
    return {row.vault_id: row for row in rollout_vaults(tx, rollout.id, STATES)}


def test_there_is_one_open_rollout_at_a_time(tx):
    first = begin(tx)
    assert (first.rings, first.state, first.ring) == (RINGS, "running", 0)
    with pytest.raises(Conflict):
        begin(tx)
    end_rollout(tx, first.id, "replaced", NOW)
    second = begin(tx, LATER)
    assert open_rollout(tx) == last_rollout(tx) == second
    end_rollout(tx, second.id, "done", LATER)
    end_rollout(tx, second.id, "replaced", LATER)
    assert (open_rollout(tx), get_rollout(tx, second.id).state) == (None, "done")


def test_a_rollout_never_goes_back_to_an_earlier_ring(tx):
    rollout = begin(tx)
    enter_ring(tx, rollout.id, 1)
    enter_ring(tx, rollout.id, 0)
    assert get_rollout(tx, rollout.id).ring == 1


def test_a_halted_rollout_runs_again_and_one_that_is_over_does_not(tx):
    rollout = begin(tx)
    halt_rollout(tx, rollout.id, "too many")
    halt_rollout(tx, rollout.id, "another reason")
    assert get_rollout(tx, rollout.id).halted_because == "too many"
    assert resume_rollout(tx, rollout.id, "5").error_budget == "5"
    end_rollout(tx, rollout.id, "done", NOW)
    with pytest.raises(Conflict):
        resume_rollout(tx, rollout.id, "6")


def test_a_vault_is_claimed_once(tx):
    for slug in ("aurora", "bella"):
        make_vault(tx, slug)
    rollout = begin(tx)
    assert claim_vaults(tx, rollout.id, 0, ["v-aurora"], NOW) == ["v-aurora"]
    assert claim_vaults(tx, rollout.id, 1, ["v-aurora", "v-bella", "v-nowhere"], NOW) == ["v-bella"]
    assert {row.vault_id: row.ring for row in rollout_vaults(tx, rollout.id, ("begun",))} == {
        "v-aurora": 0,
        "v-bella": 1,
    }
    assert [row.vault_id for row in rollout_vaults(tx, rollout.id, ("begun",), upto=0)] == ["v-aurora"]
    assert [row.vault_id for row in rollout_vaults(tx, rollout.id, ("begun",), ring=1)] == ["v-bella"]
    assert [row.vault_id for row in rollout_vaults(tx, rollout.id, ("begun",), after="v-aurora")] == ["v-bella"]


def test_the_first_bookmark_and_the_first_outcome_stand(tx):
    make_vault(tx, "aurora")
    rollout = begin(tx)
    claim_vaults(tx, rollout.id, 0, ["v-aurora"], NOW)
    note_bookmark(tx, rollout.id, "v-aurora", "first", {"choir": 7})
    note_bookmark(tx, rollout.id, "v-aurora", "second", {"choir": 8})
    note_outcome(
        tx, rollout.id, Outcome("v-aurora", "failed", None, None, "choir/0008", "migration_failed", "why"), NOW
    )
    note_outcome(tx, rollout.id, Outcome("v-aurora", "migrated"), LATER)
    row = found(tx, rollout)["v-aurora"]
    assert (row.state, row.bookmark, row.step, row.ended_at) == ("failed", "first", "choir/0008", NOW.text)
    assert ring_counts(tx, rollout.id) == {0: {"failed": 1}}
    assert retry_failed(tx, rollout.id) == 1
    # A more exact bookmark counts for the numbers it was found for only.
    note_outcome(tx, rollout.id, Outcome("v-aurora", "migrated", "exact", {"choir": 7}), LATER)
    assert found(tx, rollout)["v-aurora"].bookmark == "exact"
    assert retry_failed(tx, rollout.id) == 0


def test_a_bookmark_found_for_other_numbers_does_not_replace_the_one_that_was_noted(tx):
    make_vault(tx, "aurora")
    rollout = begin(tx)
    claim_vaults(tx, rollout.id, 0, ["v-aurora"], NOW)
    note_bookmark(tx, rollout.id, "v-aurora", "before both steps", {"choir": 6})
    note_outcome(tx, rollout.id, Outcome("v-aurora", "migrated", "between them", {"choir": 7}), NOW)
    assert found(tx, rollout)["v-aurora"].bookmark == "before both steps"
