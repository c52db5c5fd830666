"""Rehearsing on forks: what it finds, and that nothing is left of it, whatever happens."""

import shutil

import pytest

from db.clock import Moment
from db.registry.scratch_vaults import list_scratch, scratch_lists
from handlers.fleet.scratch import list_before_making, scratch_run, sweep_scratch
from tests.handlers.fleet.conftest import OPERATOR, PARKS, TITLES

HOUR_MS = 3600_000
REHEARSAL = "handlers.fleet.rehearsal"


def listed(fleet):
    rows = fleet.desk.registry_read(lambda tx: tx.rows("SELECT id FROM scratch_vaults"), current=True)
    return {row["id"] for row in rows}


def test_a_rehearsal_names_step_and_error_and_changes_no_vault(fleet):
    fleet.choirs("anna", "bella", "canta")
    fleet.poison("bella")
    before = {slug: fleet.bookmark(slug) for slug in ("anna", "bella", "canta")}
    folders = fleet.vault_folders()
    fleet.steps(PARKS, TITLES)
    found = fleet.json("rehearse", "--all", code=1)
    assert (found["vaults"], found["failed"]) == (3, 1)
    (failure,) = found["failures"]
    assert (failure["code"], failure["vaults"], failure["examples"]) == ("migration_failed", 1, ["bella"])
    assert failure["error"] == f"{failure['step']}: UNIQUE constraint failed: works.title"
    assert found["seconds"]["total"] > 0
    assert {slug: fleet.bookmark(slug) for slug in before} == before
    assert (fleet.vault_folders(), listed(fleet)) == (folders, set())
    assert {slug: fleet.commits(slug) for slug in ("anna", "bella")} == {"anna": 2, "bella": 4}


def test_a_rehearsal_finds_references_that_lead_nowhere_though_every_step_passes(fleet):
    fleet.choirs("anna")
    dangling = "INSERT INTO works (id, org_id, title) VALUES ('w', 'nobody', 'Os justi')"
    with fleet.services().vault(fleet.entry("anna")) as vault:
        vault.alter(lambda connection: connection.execute(dangling) is not None, foreign_keys=False)
    fleet.steps(PARKS)
    (failure,) = fleet.json("rehearse", "anna", code=1)["failures"]
    assert failure["code"] == "references_broken"
    assert failure["error"] == "references that lead nowhere: 1 from works to organizations"


def test_a_sample_or_a_ring_is_rehearsed_alone(fleet):
    fleet.choirs(*(f"choir-{number}" for number in range(8)))
    fleet.steps(PARKS)
    assert fleet.json("rehearse", "--sample", "3")["vaults"] == 3
    assert fleet.json("rehearse", "--ring", "canary")["vaults"] == 1
    assert fleet.json("rehearse", "--ring", "100%")["vaults"] == 8
    assert fleet.json("rehearse", "choir-1")["vaults"] == 1
    assert fleet.run("rehearse", "--all", "--sample", "3").exit_code == 2


@pytest.mark.parametrize("kill", [f"{REHEARSAL}:fork:2", f"{REHEARSAL}:bring_to:2", f"{REHEARSAL}:drop_scratch:1"])
def test_the_next_run_removes_what_a_killed_rehearsal_left(fleet, kill):
    fleet.choirs("anna", "bella", "canta")
    folders = fleet.vault_folders()
    fleet.steps(PARKS)
    fleet.killed("fleet", "rehearse", "--all", "--concurrency", "1", kill=kill)
    assert len(listed(fleet)) == 3
    assert fleet.vault_folders() > folders
    assert fleet.json("rehearse", "anna")["failed"] == 0
    assert (fleet.vault_folders(), listed(fleet)) == (folders, set())
    assert list((fleet.folder / "data" / "cache" / ".runs").iterdir()) == []


def test_maintenance_of_another_machine_removes_it_after_an_hour(fleet):
    fleet.choirs("anna", "bella")
    folders = fleet.vault_folders()
    fleet.steps(PARKS)
    fleet.killed("fleet", "rehearse", "--all", kill=f"{REHEARSAL}:drop_scratch:1")
    shutil.rmtree(fleet.folder / "data" / "cache" / ".runs")
    services = fleet.services()
    now = services.clock()
    assert sweep_scratch(services, now) == 0
    assert fleet.vault_folders() > folders
    assert sweep_scratch(services, Moment(now.ms + HOUR_MS + 1000)) == 2
    assert (fleet.vault_folders(), listed(fleet)) == (folders, set())


def test_what_a_living_run_has_made_is_left_alone(fleet):
    services = fleet.services()
    with scratch_run(services) as run:
        list_before_making(services, run, "rehearsal", ["rehearsal-1"], OPERATOR)
        assert sweep_scratch(fleet.services()) == 0
        assert listed(fleet) == {"rehearsal-1"}
    assert sweep_scratch(fleet.services()) == 1


def test_whoever_took_more_than_an_hour_finds_that_his_vault_is_being_removed(fleet, monkeypatch):
    services = fleet.services()
    now = services.clock()
    services.registry_write(lambda tx: list_scratch(tx, "elsewhere", "provisioning", ["slow"], now), OPERATOR, now)
    assert services.registry_read(lambda tx: scratch_lists(tx, "slow"), current=True)
    removing = []

    def remove(store, vault_id):
        removing.append(services.registry_read(lambda tx: scratch_lists(tx, vault_id), current=True))
        return 0

    monkeypatch.setattr("handlers.fleet.scratch.remove_vault", remove)
    sweep_scratch(services, Moment(now.ms + HOUR_MS + 1000))
    # Before the first object goes, its maker can enter it in the directory no more.
    assert removing == [False]
    assert listed(fleet) == set()
