"""What the registry says of the fleet without opening a vault."""

import shutil
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.schema.migrate import load_set
from db.schema.state import expected_digest, normalised, read_schema_state
from db.vault.opening import open_vault
from domain.charters import CHARTERS
from handlers.tenant.provisioning import schema_numbers
from handlers.tenant.vault_state import record_state, vault_state
from tests.handlers.fleet.conftest import OPERATOR, PARKS, TITLES


def test_the_plan_tells_what_is_due_though_no_vault_can_be_opened(fleet):
    fleet.choirs("anna", "bella")
    fleet.steps(PARKS, TITLES)
    for vault_id in fleet.vault_folders():
        shutil.rmtree(fleet.folder / "data" / "vaults" / vault_id)
    shutil.rmtree(fleet.folder / "data" / "cache")
    (line,) = fleet.json("plan", "--charter", "choir")
    last = len(load_set("choir").steps)
    assert (line["charter"], line["vaults"], line["stand"], line["drift"]) == ("choir", 2, "due", False)
    assert line["steps"] == [f"choir/{last + 1:04d}_further", f"choir/{last + 2:04d}_further"]


def test_a_schema_that_somebody_changed_by_hand_is_drift_once_it_was_reported(fleet):
    fleet.choirs("anna", "bella")
    services, entry = fleet.services(), fleet.entry("bella")
    with services.vault(entry) as vault:
        vault.alter(lambda connection: connection.execute("CREATE INDEX by_hand ON works (lyricist)") is not None)
        state = vault_state(vault)
    assert [line["drift"] for line in fleet.json("plan")] == [False]
    services.registry_write(lambda tx: record_state(tx, entry.id, state), OPERATOR, services.clock())
    found = {line["drift"]: line["examples"] for line in fleet.json("plan")}
    assert found == {False: ["anna"], True: ["bella"]}


def test_statistics_that_maintenance_renews_are_no_drift(fleet):
    fleet.choirs("anna")
    with fleet.services().vault(fleet.entry("anna")) as vault:
        before = vault_state(vault).schema.digest
        vault.alter(lambda connection: connection.execute("ANALYZE") is not None)
        assert vault_state(vault).schema.digest == before


def test_a_vault_that_was_migrated_step_by_step_has_the_schema_of_a_new_one(fleet):
    fleet.choirs("anna")
    fleet.steps(PARKS, "ALTER TABLE parks ADD COLUMN city TEXT;\n")
    services, entry = fleet.services(), fleet.entry("anna")
    kind = services.kind(CHARTERS["choir"])
    with closing(open_vault(services.site, entry.id, kind)) as vault:
        digest = vault.read_raw(lambda connection, _: read_schema_state(connection)).value.digest
    assert digest == expected_digest(kind.sets, tuple(schema_numbers(kind.sets).items()))


def test_numbers_beyond_the_release_are_ahead_and_nobody_knows_their_schema(fleet):
    fleet.choirs("anna")
    fleet.steps(PARKS)
    fleet.json("roll")
    fleet.steps()
    (line,) = fleet.json("plan")
    assert (line["stand"], line["drift"], line["steps"]) == ("ahead", None, [])
    assert fleet.json("roll") == {"rollout": None}


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("CREATE TABLE a (\n  b TEXT -- why\n)", "CREATE TABLE a ( b TEXT )", True),
        ("CREATE TABLE a (b /* x */ TEXT)", "CREATE TABLE a (b TEXT)", True),
        ("CREATE TABLE a (b TEXT DEFAULT 'x  y')", "CREATE TABLE a (b TEXT DEFAULT 'x y')", False),
        ("CREATE TABLE a (b TEXT DEFAULT '-- x')", "CREATE TABLE a (b TEXT DEFAULT '')", False),
        ('CREATE TABLE "a  b" (c)', 'CREATE TABLE "a b" (c)', False),
        ("CREATE TABLE a (b TEXT)", "CREATE TABLE a (c TEXT)", False),
    ],
)
def test_layout_and_comments_of_a_schema_do_not_count_and_what_is_quoted_does(first, second, same):
    assert (normalised(first) == normalised(second)) is same


@given(st.text(alphabet="ab'\"-/*\n [];", max_size=40))
def test_normalising_twice_is_normalising_once(sql):
    assert normalised(normalised(sql)) == normalised(sql)
