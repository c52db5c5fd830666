"""Taking a rollout back: what is shown, what comes back, and that nobody applies the step again unasked."""

import time

import pytest

from db.errors import MigrationFailed
from db.history.points import restore
from db.vault.opening import Kind
from handlers.fleet.one_vault import open_as_is
from handlers.tenant.provisioning import fork_tenant
from tests.handlers.fleet.conftest import OPERATOR, PARKS, TITLES

TITLE_LIST = "SELECT title FROM works ORDER BY title"
BAD = "CREATE TABLE parks (id INTEGER PRIMARY KEY) STRICT;\nDELETE FROM works;\n"


@pytest.fixture
def rolled(fleet):
    """Two choirs with a work each, of which a bad release took it."""
    fleet.choirs("anna", "bella")
    for slug in ("anna", "bella"):
        fleet.write(slug, title="Os justi")
    fleet.built_in = fleet.numbers("anna")["choir"]
    fleet.steps(BAD)
    fleet.json("roll", "--rings", "canary,all", "--canary", "anna")
    return fleet


def test_a_revert_brings_back_content_and_schema_and_says_so_in_the_audit_log(rolled):
    assert rolled.rows("anna", TITLE_LIST) == []
    done = rolled.json("revert", "--ring", "all", "--yes")
    assert (done["reverted"], done["lost_commits"], done["failed"]) == (1, 0, [])
    assert rolled.rows("bella", TITLE_LIST) == [("Os justi",)]
    assert rolled.rows("bella", "SELECT 1 FROM sqlite_schema WHERE name = 'parks'") == []
    assert rolled.numbers("bella")["choir"] == rolled.built_in
    (audit,) = rolled.rows("bella", "SELECT verb, new_values FROM vaultry_audit WHERE table_name = 'vault.restore'")
    assert audit[0] == "fleet.revert"
    assert f'"choir":{rolled.built_in}' in audit[1]
    # The canary is another ring.
    assert rolled.numbers("anna")["choir"] == rolled.built_in + 1


def test_what_would_be_lost_is_shown_and_nothing_happens_without_a_yes(rolled):
    rolled.write("anna", title="Locus iste")
    before = {slug: rolled.bookmark(slug) for slug in ("anna", "bella")}
    rollout = rolled.json("status")["rollout"]["id"]
    shown = rolled.run("revert", "--rollout", rollout, typed="n\n")
    assert shown.exit_code == 1
    assert "anna loses 1 commits of " in shown.stderr
    assert "by operator test (1), in works (1)" in shown.stderr
    assert "2 vaults go back, 0 have gone back, 0 were not touched, " in shown.stderr
    assert "1 lose 1 commits" in shown.stderr
    assert {slug: rolled.bookmark(slug) for slug in before} == before
    done = rolled.json("revert", "--rollout", rollout, "--yes")
    assert done["lost"][0]["slug"] == "anna"
    assert (done["reverted"], done["lost"][0]["commits"], done["lost"][0]["tables"]) == (2, 1, {"works": 1})
    assert rolled.rows("anna", TITLE_LIST) == [("Os justi",)]


def test_a_release_with_the_step_leaves_a_reverted_vault_alone_and_writes_nothing(rolled):
    rolled.json("revert", "--vault", "anna", "--yes")
    held = rolled.bookmark("anna")
    for _ in range(2):
        with pytest.raises(MigrationFailed, match=r"_further was taken back at .* this release needs it") as caught:
            rolled.write("anna", title="Locus iste")
        assert caught.value.code == "migration_held"
    assert rolled.bookmark("anna") == held
    assert rolled.rows("anna", TITLE_LIST) == [("Os justi",)]
    (line,) = [line for line in rolled.json("plan") if line["held"]]
    assert (line["examples"], line["refused"], line["stand"]) == (["anna"], 1, "due")
    assert [known["slug"] for known in rolled.json("status")["refusing"]] == ["anna"]


def test_a_release_without_the_step_writes_to_a_reverted_vault_at_once(rolled):
    rolled.json("revert", "--vault", "anna", "--yes")
    rolled.steps()
    rolled.write("anna", title="Locus iste")
    assert rolled.rows("anna", TITLE_LIST) == [("Locus iste",), ("Os justi",)]


def test_the_next_roll_ends_the_hold(rolled):
    rolled.json("revert", "--rollout", rolled.json("status")["rollout"]["id"], "--yes")
    rolled.steps(PARKS)
    status = rolled.json("roll")
    assert status["refusing"] == []
    assert not any(line["held"] for line in rolled.json("plan"))
    rolled.write("anna", title="Locus iste")
    assert rolled.rows("anna", "SELECT name FROM parks") == [("Kadriorg",)]
    assert rolled.rows("anna", TITLE_LIST) == [("Locus iste",), ("Os justi",)]


def test_a_vault_that_had_the_bad_step_and_was_not_taken_back_is_drift_to_the_release_that_mends_it(rolled):
    rolled.json("revert", "--vault", "anna", "--yes")
    rolled.steps(PARKS)
    rolled.json("roll")
    assert {line["drift"]: line["examples"] for line in rolled.json("plan")} == {False: ["anna"], True: ["bella"]}


def test_a_process_that_has_the_vault_open_neither_writes_nor_migrates_once_it_was_reverted(rolled):
    server = rolled.services()
    rolled.write("anna", title="Locus iste", services=server)
    rolled.json("revert", "--vault", "anna", "--yes")
    for _ in range(2):
        with pytest.raises(MigrationFailed) as caught:
            rolled.write("anna", title="Ave verum", services=server)
        assert caught.value.code == "migration_held"
    assert rolled.rows("anna", TITLE_LIST) == [("Os justi",)]


def test_a_process_that_refused_writes_takes_them_once_the_vault_was_rolled_again(fleet):
    fleet.choirs("anna")
    fleet.steps(PARKS)
    fleet.json("roll", "--rings", "all")
    server = fleet.services()
    fleet.write("anna", title="Os justi", services=server)
    fleet.json("revert", "--vault", "anna", "--yes")
    with pytest.raises(MigrationFailed):
        fleet.write("anna", title="Ave verum", services=server)
    fleet.json("roll", "--rings", "all")
    fleet.write("anna", title="Ave verum", services=server)
    assert fleet.rows("anna", TITLE_LIST) == [("Ave verum",)]


def test_a_revert_that_was_killed_before_the_registry_knew_is_noted_by_the_next(rolled):
    rolled.killed("fleet", "revert", "--vault", "anna", "--yes", kill="handlers.fleet.reversal:note_reverted:1")
    assert rolled.rows("anna", TITLE_LIST) == [("Os justi",)]
    assert not any(line["held"] for line in rolled.json("plan"))
    after = rolled.bookmark("anna")
    done = rolled.json("revert", "--vault", "anna", "--yes")
    assert (done["reverted"], done["held_before"]) == (0, 1)
    assert rolled.bookmark("anna") == after
    assert any(line["held"] for line in rolled.json("plan"))


def test_a_rollout_that_is_taken_back_stops_where_it_is(fleet):
    fleet.choirs("anna", "bella", "canta")
    fleet.steps(PARKS)
    fleet.killed("fleet", "roll", "--rings", "all", "--concurrency", "1", kill="handlers.fleet.batch:bring_to:3")
    rollout = fleet.json("status")["rollout"]["id"]
    done = fleet.json("revert", "--rollout", rollout, "--yes")
    assert (done["reverted"], done["untouched"]) == (2, 1)
    assert fleet.json("status")["rollout"]["halted_because"] == "the operator takes it back"
    assert "(rollout_halted)" in fleet.run("roll").output


def test_a_reverted_vault_stays_reverted_when_its_rollout_goes_on(fleet):
    fleet.choirs("anna", "bella")
    fleet.poison("bella")
    fleet.steps(TITLES)
    fleet.json("roll", "--rings", "canary,all", "--canary", "anna", code=1)
    before = fleet.numbers("anna")
    fleet.json("revert", "--vault", "anna", "--yes")
    fleet.json("roll", "--error-budget", "2", code=1)
    assert fleet.numbers("anna")["choir"] == before["choir"] - 1


def test_a_failed_vault_goes_back_as_far_as_it_came(fleet):
    fleet.choirs("anna")
    fleet.poison("anna")
    built_in = fleet.numbers("anna")["choir"]
    fleet.steps(PARKS, TITLES)
    fleet.json("roll", "--rings", "all", code=1)
    assert fleet.numbers("anna")["choir"] == built_in + 1
    done = fleet.json("revert", "--vault", "anna", "--yes")
    assert done["reverted"] == 1
    assert fleet.numbers("anna")["choir"] == built_in


def test_restoring_another_state_of_a_held_vault_keeps_the_hold_unless_the_state_is_beyond_it(rolled):
    beyond = rolled.bookmark("anna")
    rolled.json("revert", "--vault", "anna", "--yes")
    services = rolled.services()
    sets = services.kind(services.charter(rolled.entry("anna"))).sets
    vault = open_as_is(services.site, rolled.entry("anna").id, Kind(()))
    restore(vault, services.site, rolled.entry("anna").bookmark or "", OPERATOR, sets)
    assert rolled.numbers("anna")["choir"] == rolled.built_in
    restore(vault, services.site, beyond, OPERATOR, sets)
    vault.close()
    assert rolled.rows("anna", "SELECT value FROM vaultry_settings WHERE key = 'schema_hold'") == []
    rolled.write("anna", title="Locus iste")
    assert rolled.numbers("anna")["choir"] == rolled.built_in + 1


def test_a_fork_of_a_held_vault_is_held_as_well(rolled):
    rolled.json("revert", "--vault", "anna", "--yes")
    services = rolled.services()
    made = fork_tenant(services, rolled.entry("anna"), "clara", None, OPERATOR)
    assert made.schema["choir"] == rolled.built_in
    with pytest.raises(MigrationFailed):
        rolled.write("clara", title="Locus iste")


def test_a_vault_that_was_migrated_as_it_was_opened_goes_back_by_what_it_noted_itself(fleet):
    fleet.choirs("anna")
    fleet.write("anna", title="Os justi")
    built_in = fleet.numbers("anna")["choir"]
    fleet.steps(BAD)
    fleet.write("anna", title="Locus iste")
    done = fleet.json("revert", "--vault", "anna", "--yes")
    assert (done["reverted"], done["lost_commits"]) == (1, 1)
    assert fleet.rows("anna", TITLE_LIST) == [("Os justi",)]
    assert fleet.numbers("anna")["choir"] == built_in


def test_an_old_rollout_does_not_take_along_what_later_releases_did(fleet):
    fleet.choirs("anna")
    fleet.steps(PARKS)
    old = fleet.json("roll", "--rings", "all")["rollout"]["id"]
    time.sleep(0.002)  # Moments have milliseconds.
    fleet.steps(PARKS, TITLES)
    fleet.write("anna", title="Os justi")
    done = fleet.json("revert", "--rollout", old, "--yes")
    assert (done["reverted"], done["later"]) == (0, 1)
    done = fleet.json("revert", "--vault", "anna", "--yes")
    assert (done["reverted"], done["lost_commits"]) == (1, 1)
    assert fleet.rows("anna", "SELECT name FROM parks") == [("Kadriorg",)]


def test_a_vault_that_had_no_step_since_it_was_made_has_no_way_back(fleet):
    fleet.choirs("anna")
    refused = fleet.run("revert", "--vault", "anna", "--yes")
    assert "(no_bookmark)" in refused.output
    assert "(not_found)" in fleet.run("revert", "--ring", "all", "--yes").output
    assert fleet.run("revert").exit_code == 2
