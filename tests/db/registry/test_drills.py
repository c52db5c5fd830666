"""Which vaults are proven, which come next, and what is kept of a drill."""

import pytest

from db.registry.directory import delete_vault, forget_vault, suspend_vault
from db.registry.drills import (
    DAY_S,
    PROVEN_DAYS,
    REGISTRY,
    ROUND_DAYS,
    Drilled,
    due_today,
    last_drill,
    record_drill,
    standings,
    summarise,
)
from tests.db.registry.registry_rows import after, at, make_vault


def drilled(vault_id, moment, *, passed=True, litestream="not_chosen"):
    return Drilled(vault_id, moment.text, passed, litestream, f"drills/{vault_id}.json", "a.b.c")


def later(moment, days):
    return after(moment, seconds=days * DAY_S)


@pytest.fixture
def start(tx):
    """The moment at which the registry and every vault of a test were made."""
    start = at("09:00:00")
    tx.insert("vaultry_settings", key="origin", value=REGISTRY, updated_at=start.text)
    return start


def names(known):
    return [standing.vault_id for standing in known]


def test_the_last_drill_is_kept_and_the_proof_outlives_a_failure(tx, start):
    vault = make_vault(tx, "aurora", start)
    assert last_drill(tx, vault.id) is None
    record_drill(tx, drilled(vault.id, later(start, 1)))
    failed = drilled(vault.id, later(start, 2), passed=False, litestream="used")
    record_drill(tx, failed)
    assert last_drill(tx, vault.id) == failed
    (standing,) = [known for known in standings(tx) if known.vault_id == vault.id]
    assert (standing.drilled_at, standing.proven_at) == (later(start, 2).text, later(start, 1).text)


def test_a_drill_that_ended_late_does_not_hide_a_newer_one(tx, start):
    vault = make_vault(tx, "aurora", start)
    record_drill(tx, drilled(vault.id, later(start, 2), passed=False))
    record_drill(tx, drilled(vault.id, later(start, 1)))
    kept = last_drill(tx, vault.id)
    assert kept is not None
    assert (kept.drilled_at, kept.passed) == (later(start, 2).text, False)


def test_what_is_known_of_a_vault_goes_with_it(tx, start):
    vault = make_vault(tx, "aurora", start)
    record_drill(tx, drilled(vault.id, start))
    delete_vault(tx, vault.id, start)
    forget_vault(tx, vault.id, later(start, 30))
    assert last_drill(tx, vault.id) is None
    record_drill(tx, drilled(vault.id, later(start, 31)))
    assert last_drill(tx, vault.id) is None


def test_active_vaults_and_the_registry_stand_in_the_order_of_their_waiting(tx, start):
    for hour, slug in enumerate(("aurora", "bella", "corda", "duo"), 10):
        make_vault(tx, slug, at(f"{hour}:00:00"))
    suspend_vault(tx, "v-corda", at("15:00:00"))
    delete_vault(tx, "v-duo", at("15:00:00"))
    record_drill(tx, drilled("v-aurora", at("16:00:00")))
    assert names(standings(tx)) == [REGISTRY, "v-bella", "v-aurora"]


def test_each_day_takes_its_share_of_the_round_and_counts_what_was_done_that_day(tx, start):
    for number in range(2 * ROUND_DAYS):
        make_vault(tx, f"choir-{number:02d}", after(start, seconds=number + 1))
    due = due_today(standings(tx), start)
    assert names(due) == [REGISTRY, "v-choir-00", "v-choir-01"]
    record_drill(tx, drilled("v-choir-30", after(start, seconds=3600)))
    assert names(due_today(standings(tx), after(start, seconds=7200))) == [REGISTRY, "v-choir-00"]
    record_drill(tx, drilled(REGISTRY, after(start, seconds=7200)))
    record_drill(tx, drilled("v-choir-00", after(start, seconds=7200)))
    assert due_today(standings(tx), after(start, seconds=7200)) == []
    assert names(due_today(standings(tx), later(start, 1))) == ["v-choir-01", "v-choir-02", "v-choir-03"]


def test_whoever_drills_each_days_share_has_everything_proven_within_the_promise(tx, start):
    for number in range(45):
        make_vault(tx, f"choir-{number:02d}", start)
    for day in range(3 * PROVEN_DAYS):
        for known in due_today(standings(tx), later(start, day)):
            record_drill(tx, drilled(known.vault_id, later(start, day)))
        summary = summarise(standings(tx), later(start, day))
        assert summary.overdue == []
        assert summary.proven_within_days <= ROUND_DAYS
    assert summary.proven == summary.vaults == 46


def test_after_a_standstill_everything_late_is_due_at_once(tx, start):
    for number in range(30):
        make_vault(tx, f"choir-{number:02d}", start)
    assert len(due_today(standings(tx), later(start, PROVEN_DAYS))) == 31


def test_a_failed_drill_is_repeated_the_next_day_beside_the_share(tx, start):
    for slug in ("aurora", "bella", "corda"):
        make_vault(tx, slug, start)
    for vault_id in ("v-aurora", REGISTRY):
        record_drill(tx, drilled(vault_id, after(start, seconds=60)))
    record_drill(tx, drilled("v-corda", after(start, seconds=60), passed=False))
    assert due_today(standings(tx), after(start, seconds=120)) == []
    assert names(due_today(standings(tx), later(start, 1))) == ["v-bella", "v-corda"]


def test_the_summary_tells_proven_young_overdue_and_failing_apart(tx, start):
    for slug in ("aurora", "bella", "corda"):
        make_vault(tx, slug, start)
    now = later(start, 40)
    make_vault(tx, "duo", now)
    record_drill(tx, drilled(REGISTRY, later(start, 28), litestream="used"))
    record_drill(tx, drilled("v-aurora", later(start, 9.5)))
    record_drill(tx, drilled("v-bella", later(start, 39), passed=False, litestream="not_found"))
    summary = summarise(standings(tx), now)
    assert (summary.vaults, summary.proven, summary.proven_within_days) == (5, 2, 31)
    assert summary.oldest is not None
    assert summary.oldest.slug == "aurora"
    assert names(summary.unproven) == ["v-duo"]
    assert sorted(names(summary.overdue)) == ["v-aurora", "v-bella", "v-corda"]
    assert names(summary.failing) == ["v-bella"]
    assert (summary.by_litestream, summary.not_found) == (1, 1)


@pytest.mark.parametrize(("seconds", "overdue"), [(-1, 0), (0, 0), (1, 1)])
def test_thirty_days_are_the_limit(tx, start, seconds, overdue):
    record_drill(tx, drilled(REGISTRY, start))
    now = after(later(start, PROVEN_DAYS), seconds=seconds)
    assert len(summarise(standings(tx), now).overdue) == overdue
