"""What is due on which vault, and what is kept of each run."""

from db.clock import Moment
from db.registry.directory import delete_vault, forget_vault, suspend_vault
from db.registry.maintenance_runs import (
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    ask_for_run,
    due_jobs,
    due_vaults,
    find_run,
    is_asked_for,
    job_states,
    list_runs,
    record_failure,
    record_success,
)
from tests.db.registry.registry_rows import at, make_vault

DAY_S = 86_400
EVERYWHERE = {"log": ""}


def plain(moment: Moment) -> Moment:
    """The moment without chance: no wait is shortened."""
    return Moment(moment.ms, bytes)


def later(moment: Moment, seconds: int) -> Moment:
    return Moment(moment.ms + seconds * 1000, bytes)


NOON = plain(at("12:00:00"))


def test_a_new_vault_is_left_alone_for_an_hour_and_the_registry_is_not(tx):
    vault = make_vault(tx, now=NOON)
    assert due_vaults(tx, EVERYWHERE, later(NOON, 3599), 10) == ["registry"]
    assert due_vaults(tx, EVERYWHERE, later(NOON, 3600), 10) == ["registry", vault.id]


def test_a_job_is_for_every_vault_or_those_of_a_charter_or_the_registry_alone(tx):
    vault = make_vault(tx)
    jobs = {"log": "", "keys": "registry", "choir.purge": "choir", "band.purge": "band"}
    assert due_jobs(tx, jobs, ["registry", vault.id], NOON) == {
        "registry": {"log", "keys"},
        vault.id: {"log", "choir.purge"},
    }


def test_the_longest_waiting_vaults_go_first_and_no_more_than_asked(tx):
    late, later_still, new = (make_vault(tx, slug) for slug in ("aaa", "bbb", "ccc"))
    record_success(tx, later_still.id, "log", {}, 60, None, later(NOON, -7200))
    record_success(tx, late.id, "log", {}, 60, None, later(NOON, -3600))
    record_success(tx, "registry", "log", {}, DAY_S, None, NOON)
    ask_for_run(tx, new.id, "log", later(NOON, -1).text)
    assert due_vaults(tx, EVERYWHERE, NOON, 10) == [later_still.id, late.id, new.id]
    assert due_vaults(tx, EVERYWHERE, NOON, 2) == [later_still.id, late.id]


def test_suspended_and_deleted_vaults_are_not_due(tx):
    suspend_vault(tx, make_vault(tx, "aaa").id, NOON)
    delete_vault(tx, make_vault(tx, "bbb").id, NOON)
    assert due_vaults(tx, EVERYWHERE, NOON, 10) == ["registry"]


def test_a_run_that_went_well_is_due_again_after_its_interval_or_when_it_asks(tx):
    vault = make_vault(tx)
    record_success(tx, vault.id, "log", {"removed": 3}, DAY_S, None, NOON)
    run = find_run(tx, vault.id, "log")
    assert (run.outcome, run.report, run.next_due_at) == ("ok", {"removed": 3}, later(NOON, DAY_S).text)
    asked = later(NOON, 3600)
    record_success(tx, vault.id, "log", {}, DAY_S, asked.text, NOON)
    record_success(tx, vault.id, "other", {}, DAY_S, later(NOON, 2 * DAY_S).text, NOON)
    assert [run.next_due_at for run in list_runs(tx, vault.id)] == [asked.text, later(NOON, DAY_S).text]


def test_intervals_are_shortened_at_random_by_a_tenth_at_most(tx):
    record_success(tx, "v", "log", {}, 1000, None, Moment(NOON.ms, lambda count: b"\xff" * count))
    assert find_run(tx, "v", "log").next_due_at == later(NOON, 900).text


def test_failures_wait_twice_as_long_each_time_and_keep_the_last_good_report(tx):
    record_success(tx, "v", "log", {"removed": 3}, DAY_S, None, NOON)
    moment, waits = later(NOON, DAY_S), []
    for _ in range(8):
        record_failure(tx, "v", "log", "corrupt_log", DAY_S, moment)
        due = find_run(tx, "v", "log").next_due_at
        waits.append(next(seconds for seconds in range(900, 30_000, 900) if later(moment, seconds).text == due))
        moment = later(moment, waits[-1])
    assert waits == [FIRST_WAIT_S * 2**step for step in range(5)] + [LONGEST_WAIT_S] * 3
    run = find_run(tx, "v", "log")
    assert (run.failures, run.error, run.report, run.last_succeeded_at) == (8, "corrupt_log", {"removed": 3}, NOON.text)
    record_success(tx, "v", "log", {}, DAY_S, None, moment)
    run = find_run(tx, "v", "log")
    assert (run.failures, run.error, run.outcome) == (0, None, "ok")


def test_a_job_that_runs_often_is_not_put_off_by_a_failure(tx):
    record_failure(tx, "v", "outbox", "store_unavailable", 60, NOON)
    assert find_run(tx, "v", "outbox").next_due_at == later(NOON, 60).text


def test_a_note_that_comes_late_does_not_hide_a_newer_one(tx):
    record_success(tx, "v", "log", {"removed": 2}, DAY_S, None, later(NOON, 60))
    record_failure(tx, "v", "log", "contended", DAY_S, NOON)
    assert find_run(tx, "v", "log").report == {"removed": 2}
    assert find_run(tx, "v", "log").outcome == "ok"


def test_what_is_asked_for_while_a_job_runs_is_not_lost(tx):
    began = NOON
    ask_for_run(tx, "v", "outbox", later(began, 5).text)
    record_success(tx, "v", "outbox", {}, DAY_S, None, began)
    assert find_run(tx, "v", "outbox").next_due_at == later(began, 5).text
    record_success(tx, "v", "outbox", {}, DAY_S, None, later(began, 10))
    assert find_run(tx, "v", "outbox").next_due_at == later(began, 10 + DAY_S).text


def test_asking_only_ever_makes_a_job_due_earlier(tx):
    ask_for_run(tx, "v", "outbox", later(NOON, 60).text)
    ask_for_run(tx, "v", "outbox", later(NOON, 90).text)
    assert find_run(tx, "v", "outbox").next_due_at == later(NOON, 60).text
    assert is_asked_for(tx, "v", "outbox", later(NOON, 60).text)
    assert not is_asked_for(tx, "v", "outbox", later(NOON, 59).text)


def test_the_state_of_a_job_names_the_vault_that_waits_longest(tx):
    good, bad, new = (make_vault(tx, slug) for slug in ("aaa", "bbb", "ccc"))
    record_success(tx, "registry", "log", {}, DAY_S, None, NOON)
    record_success(tx, good.id, "log", {}, DAY_S, None, NOON)
    record_failure(tx, bad.id, "log", "corrupt_log", DAY_S, NOON)
    (state,) = job_states(tx, EVERYWHERE, later(NOON, FIRST_WAIT_S))
    assert (state.vaults, state.failing, state.overdue, state.never) == (4, 1, 2, 1)
    assert (state.last_succeeded_at, state.oldest_vault_id) == (NOON.text, new.id)
    assert state.oldest_due_at == at("10:00:00").text


def test_a_vault_that_is_forgotten_takes_its_runs_along(tx):
    vault = make_vault(tx)
    record_success(tx, vault.id, "log", {}, DAY_S, None, NOON)
    delete_vault(tx, vault.id, NOON)
    forget_vault(tx, vault.id, later(NOON, 31 * DAY_S))
    assert list_runs(tx, vault.id) == []
